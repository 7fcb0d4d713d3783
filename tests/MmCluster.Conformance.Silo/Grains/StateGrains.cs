namespace MmCluster.Conformance.Grains;

public sealed class Tally
{
    public int Value { get; set; }
}

public interface ITallyGrain : IGrainWithStringKey
{
    Task<int> Add(int value);

    Task<int> Get();

    Task Clear();

    Task Leave();
}

public sealed class TallyGrain : Grain<Tally>, ITallyGrain
{
    public async Task<int> Add(int value)
    {
        State.Value += value;
        await WriteStateAsync();
        return State.Value;
    }

    public Task<int> Get() => Task.FromResult(State.Value);

    public Task Clear() => ClearStateAsync();

    public Task Leave()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }
}

public interface IListener : IGrainObserver
{
    void Heard(string text);

    [ResponseTimeout("00:00:01")]
    Task<int> Ask(int value);
}

public interface ISpeakerGrain : IGrainWithStringKey
{
    Task Subscribe(IListener listener);

    Task Say(string text);

    Task<int> Ask(int value);
}

public sealed class SpeakerGrain : Grain, ISpeakerGrain
{
    private IListener? _listener;

    public Task Subscribe(IListener listener)
    {
        _listener = listener;
        return Task.CompletedTask;
    }

    public Task Say(string text)
    {
        _listener!.Heard(text);
        return Task.CompletedTask;
    }

    public Task<int> Ask(int value) => _listener!.Ask(value);
}
