using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Hosting;
using MmCluster.Cluster.Nodes;
using MmCluster.Cluster.Sources;
using MmCluster.Cluster.Stages;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.Wire;

namespace MmCluster.Cluster.Tests.Nodes;

public sealed class StageHostTests
{
    /// <summary>Requests wait for what was lost and comes up anew, and do so by this error.</summary>
    [Fact]
    public async Task A_stage_that_is_not_loaded_is_not_there()
    {
        NodeLedger ledger = new([new NodeDevice("cpu", 100)], TimeProvider.System);
        await using TensorLinkEndpoint link = new(new TensorLinkOptions { ClusterSecret = "secret", SlabBytes = 1 << 20 }, TimeProvider.System);
        MmClientOptions options = new() { ClusterSecret = "secret", CardsFolder = TestCluster.ModelsFolder, StoreFolder = TestCluster.ModelsFolder };
        await using StageHost host = new(ledger, new StageLoader(new ModelSource(options), null!, link, TimeProvider.System), "node");
        Assert.True(ledger.TryReserve("encoder/0", "cpu", 10));
        host.Load(new StageSpec
        {
            Key = "encoder/0",
            Kind = StageKind.Encoder,
            Deployment = new ModelDeployment { Name = "none", Source = "none-such" },
            Revision = "r",
            Component = "vision_tower",
        });
        Assert.True(host.Has("encoder/0"));
        Assert.Equal("encoder/0", Assert.Throws<StageNotPlacedException>(() => host.Find<EncoderStage>("encoder/0")).Stage);
    }
}
