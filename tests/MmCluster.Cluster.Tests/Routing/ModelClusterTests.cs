using MmCluster.Models;

namespace MmCluster.Cluster.Tests.Routing;

public sealed class ModelClusterTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>Its grain died between forgetting it and telling the catalog.</summary>
    [Fact]
    public async Task A_model_that_the_catalog_alone_remembers_keeps_nobody_from_connecting()
    {
        await using FakeStages stages = new();
        stages.Routes["ghost"] = FakeStages.RoutesOf("ghost") with { Removed = true, Deployment = null, Facts = null };
        stages.Catalog.Set("ghost", FakeStages.Model);
        await stages.Cluster.ConnectedAsync(Stop);
        Assert.Equal([FakeStages.Model], stages.Cluster.Models.Select(model => model.Name));
    }

    [Fact]
    public async Task Status_outlives_the_silo_that_was_asked_for_it()
    {
        await using FakeStages stages = new();
        stages.Catalog.Set();
        stages.Catalog.Failures.Enqueue(new SiloUnavailableException("killed"));
        Assert.Empty((await stages.Cluster.StatusAsync(Stop)).Nodes);
        for (int i = 0; i < 3; i++)
        {
            stages.Catalog.Failures.Enqueue(new SiloUnavailableException("killed"));
        }
        MmException error = await Assert.ThrowsAsync<MmException>(() => stages.Cluster.StatusAsync(Stop));
        Assert.Equal(MmErrorCode.Unavailable, error.Code);
    }

    [Fact]
    public async Task A_model_that_does_not_answer_keeps_nobody_from_hearing_of_the_others()
    {
        await using FakeStages stages = new();
        stages.Catalog.Set("mute");
        Task connected = stages.Cluster.ConnectedAsync(Stop);
        stages.Catalog.Set("mute", FakeStages.Model);
        await Eventually.TrueAsync(() => stages.Cluster.Models.Any(model => model.Name == FakeStages.Model), "the other model is not heard of");
        Assert.False(connected.IsCompleted);
        stages.Catalog.Set(FakeStages.Model);
        await connected;
    }
}
