using Orleans.TestingHost;

namespace MmCluster.Conformance;

public sealed class SliceTests
{
    [Fact]
    public async Task A_client_calls_a_grain()
    {
        await using InProcessTestCluster cluster = new InProcessTestClusterBuilder(2).Build();
        await cluster.DeployAsync();
        for (int i = 0; i < 20; i++)
        {
            IEchoGrain grain = cluster.Client.GetGrain<IEchoGrain>($"k{i}");
            Assert.Equal(7, await grain.Add(3, 4));
            Assert.Equal("hello", await grain.Echo("hello"));
            Assert.Equal(3, (await grain.GiveBack([1, 2, 3])).Length);
        }
    }
}
