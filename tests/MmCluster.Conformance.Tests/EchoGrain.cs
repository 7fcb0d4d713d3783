namespace MmCluster.Conformance;

public interface IEchoGrain : IGrainWithStringKey
{
    Task<int> Add(int left, int right);

    ValueTask<string> Echo(string text);

    Task<int[]> GiveBack(int[] values);
}

public sealed class EchoGrain : Grain, IEchoGrain
{
    public Task<int> Add(int left, int right) => Task.FromResult(left + right);

    public async ValueTask<string> Echo(string text)
    {
        await Task.Yield();
        return text;
    }

    public Task<int[]> GiveBack(int[] values) => Task.FromResult(values);
}
