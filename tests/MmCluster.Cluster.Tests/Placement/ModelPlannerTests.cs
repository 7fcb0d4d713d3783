using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Placement;
using MmCluster.Cluster.Sources;
using MmCluster.Cluster.Status;
using MmCluster.Cluster.Wire;
using MmCluster.Models.Cards;

namespace MmCluster.Cluster.Tests.Placement;

public sealed class ModelPlannerTests
{
    private const string Digest = "d1";

    private static readonly ModelStages Stages = new(KvBytes: 10, BackboneBytes: 30, [new EncoderPlan("vision", Modality.Image, Digest, 20)]);

    private readonly ModelDeployment _deployment = new() { Name = "m", Source = "m", Fused = false };

    [Fact]
    public void Missing_stages_are_placed_on_nodes_with_room()
    {
        ModelPlan plan = Plan(Desire(), Node("a", free: 25), Node("b", free: 100), Node("gateway", free: 1000, role: "gateway"));
        Assert.Equal(
            ["m@r1/0 on b", "d1/0 on a,b"],
            plan.Actions.Cast<StageAction.Place>().Select(place => $"{place.Spec.Key} on {string.Join(',', place.Nodes)}"));
        Assert.Null(plan.ServingRevision);
    }

    [Fact]
    public void Without_room_the_problem_is_told()
    {
        ModelPlan plan = Plan(Desire(), Node("a", free: 5));
        Assert.Empty(plan.Actions);
        Assert.Contains("no node has 40 bytes free on cpu for backbone of 'm'", plan.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void That_all_nodes_are_drained_is_told_before_their_room()
    {
        ModelPlan plan = Plan(Desire(), Node("a", draining: true), Node("gateway", role: "gateway"));
        Assert.StartsWith("no node is in service for backbone of 'm'", plan.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Fused_encoders_go_where_the_backbone_is()
    {
        ModelDesire fused = Desire() with { Deployment = _deployment with { Fused = true } };
        Assert.Equal("m@r1/0", Assert.IsType<StageAction.Place>(Assert.Single(Plan(fused, Node("a"), Node("b")).Actions)).Spec.Key);
        ModelPlan plan = Plan(fused, Node("a"), Node("b", stages: Backbone("r1", 0)));
        StageAction.Place place = Assert.IsType<StageAction.Place>(Assert.Single(plan.Actions));
        Assert.Equal(["b"], place.Nodes);
    }

    [Fact]
    public void A_model_serves_once_every_component_is_ready()
    {
        Assert.Null(Plan(Desire(), Node("a", stages: [Backbone("r1", 0), Encoder(0, StageState.Loading)])).ServingRevision);
        ModelPlan plan = Plan(Desire(), Node("a", stages: [Backbone("r1", 0), Encoder(0, StageState.Ready, ("m", "r1"))]));
        Assert.Equal("r1", plan.ServingRevision);
        Assert.Equal("m@r1/0", Assert.Single(plan.Serving!.Backbones).Key);
        Assert.Equal(7, Assert.Single(plan.Serving!.Encoders).Positions);
        Assert.True(plan.IsSettled);
    }

    [Fact]
    public void An_encoder_that_another_model_put_there_is_joined()
    {
        ModelPlan plan = Plan(Desire(), Node("a", stages: [Backbone("r1", 0), Encoder(0, StageState.Ready, ("other", "x"))]));
        Assert.Equal("d1/0", Assert.IsType<StageAction.Attach>(Assert.Single(plan.Actions)).Spec.Key);
    }

    [Fact]
    public void More_and_fewer_replicas_follow_the_scale()
    {
        StageView encoder = Encoder(0, StageState.Ready, ("m", "r1"));
        ModelDesire two = Desire() with { Scaled = new Dictionary<string, int> { ["backbone"] = 2 } };
        ModelPlan more = Plan(two, Node("a", stages: [Backbone("r1", 0), encoder]), Node("b"));
        StageAction.Place place = Assert.IsType<StageAction.Place>(Assert.Single(more.Actions));
        Assert.Equal(("m@r1/1", "b"), (place.Spec.Key, place.Nodes[0]));
        ModelPlan fewer = Plan(Desire(), Node("a", stages: [Backbone("r1", 0), encoder]), Node("b", stages: Backbone("r1", 1)));
        Assert.Equal("m@r1/1", Assert.IsType<StageAction.Drain>(Assert.Single(fewer.Actions)).Key);
    }

    [Fact]
    public void A_new_revision_is_loaded_beside_the_old_and_takes_over_when_it_is_ready()
    {
        ModelDesire desire = Desire("r2") with { ServingRevision = "r1" };
        StageView old = Backbone("r1", 0);
        ModelPlan loading = Plan(desire, Node("a", stages: [old, Encoder(0, StageState.Ready, ("m", "r1"))]));
        Assert.Equal("r1", loading.ServingRevision);
        Assert.Equal("m@r1/0", Assert.Single(loading.Serving!.Backbones).Key);
        Assert.Contains(loading.Actions, action => action is StageAction.Place { Spec.Key: "m@r2/0" });
        Assert.DoesNotContain(loading.Actions, action => action is StageAction.Drain);
        ModelPlan over = Plan(desire, Node("a", stages: [old, Backbone("r2", 0), Encoder(0, StageState.Ready, ("m", "r1"), ("m", "r2"))]));
        Assert.Equal("r2", over.ServingRevision);
        Assert.Contains(new StageAction.Drain(StageKind.Backbone, "m@r1/0"), over.Actions);
        Assert.Contains(new StageAction.Detach(StageKind.Encoder, "d1/0", "r1"), over.Actions);
    }

    [Fact]
    public void A_drained_stage_ends_when_it_has_nothing_to_do()
    {
        ModelDesire desire = Desire("r2") with { ServingRevision = "r2" };
        StageView[] others = [Backbone("r2", 0), Encoder(0, StageState.Ready, ("m", "r2"))];
        StageView busy = Backbone("r1", 0, StageState.Draining, used: 1);
        Assert.Empty(Plan(desire, Node("a", stages: [.. others, busy])).Actions);
        StageView idle = Backbone("r1", 0, StageState.Draining);
        Assert.Equal([new StageAction.Unload(StageKind.Backbone, "m@r1/0", IsFailed: false)], Plan(desire, Node("a", stages: [.. others, idle])).Actions);
    }

    [Fact]
    public void What_is_on_a_drained_node_serves_until_others_have_taken_over()
    {
        ModelDesire desire = Desire() with { ServingRevision = "r1" };
        StageView encoder = Encoder(0, StageState.Ready, ("m", "r1"));
        NodeView drained = Node("a", draining: true, stages: Backbone("r1", 0));
        ModelPlan before = Plan(desire, drained, Node("b", stages: encoder));
        StageAction.Place place = Assert.IsType<StageAction.Place>(Assert.Single(before.Actions));
        Assert.Equal(("m@r1/1", "b"), (place.Spec.Key, Assert.Single(place.Nodes)));
        Assert.Equal("m@r1/0", Assert.Single(before.Serving!.Backbones).Key);
        ModelPlan after = Plan(desire, drained, Node("b", stages: [encoder, Backbone("r1", 1)]));
        Assert.Equal([new StageAction.Drain(StageKind.Backbone, "m@r1/0")], after.Actions);
    }

    [Fact]
    public void A_failed_stage_keeps_its_place_until_it_is_unloaded()
    {
        ModelPlan plan = Plan(Desire(), Node("a", stages: [Backbone("r1", 0, StageState.Failed), Encoder(0, StageState.Ready, ("m", "r1"))]));
        Assert.Equal([new StageAction.Unload(StageKind.Backbone, "m@r1/0", IsFailed: true)], plan.Actions);
        Assert.Equal("backbone: broken", plan.Problem);
    }

    [Fact]
    public void A_removed_model_ends_everything_of_its_own()
    {
        ModelDesire removed = new(null, "", null, "r1", new Dictionary<string, int>());
        ModelPlan plan = Plan(removed, Node("a", stages: [Backbone("r1", 0), Encoder(0, StageState.Ready, ("m", "r1"), ("other", "x"))]));
        Assert.Equal(
            [new StageAction.Drain(StageKind.Backbone, "m@r1/0"), new StageAction.Detach(StageKind.Encoder, "d1/0", "r1")], plan.Actions);
        Assert.Null(plan.Serving);
    }

    [Fact]
    public void Replicas_are_apart_where_nodes_allow_it()
    {
        ModelDesire two = Desire() with { Scaled = new Dictionary<string, int> { ["backbone"] = 2 } };
        ModelPlan plan = Plan(two, Node("a", stages: [Backbone("r1", 0), Encoder(0, StageState.Ready, ("m", "r1"))]), Node("b", free: 50));
        Assert.Equal(["b", "a"], Assert.IsType<StageAction.Place>(Assert.Single(plan.Actions)).Nodes);
    }

    [Fact]
    public void A_stage_for_a_gpu_needs_room_for_its_work_and_goes_where_the_gpu_itself_has_room()
    {
        const long Room = 2L << 30;
        ModelDesire desire = Desire() with { Deployment = OnGpus(encoder: "cpu"), Stages = Stages with { Encoders = [] } };
        ModelPlan plan = Plan(
            desire, Node("none"), Node("small", gpus: new DeviceStatus("cuda:0", 1000, 0)),
            Node("full", gpus: new DeviceStatus("cuda:0", Room, 0) { FreeBytes = 1000 }), Node("fits", gpus: new DeviceStatus("cuda:0", Room, 0) { FreeBytes = Room }));
        StageAction.Place place = Assert.IsType<StageAction.Place>(Assert.Single(plan.Actions));
        Assert.Equal(["fits"], place.Nodes);
        Assert.Equal(40 + (1L << 30), place.Spec.Bytes);
        Assert.Equal("cuda", place.Spec.Device);
    }

    [Theory]
    [InlineData("cpu", 0)]
    [InlineData("cuda", 20 + (1L << 30))]
    [InlineData("cuda:3", 0)]
    public void A_cache_that_takes_what_is_left_leaves_room_for_the_encoders_of_its_gpu(string encoder, long kept)
    {
        ModelDesire desire = Desire() with { Deployment = OnGpus(encoder, backbone: "cuda:0") };
        if (encoder == "cuda")
        {
            Assert.Equal(kept, Kept(desire));
            Assert.Equal(0, Kept(desire, Encoder(0, StageState.Loading, ("m", "r1"))));
            Assert.Equal(2 * kept, Kept(desire with { Scaled = new Dictionary<string, int> { ["vision"] = 2 } }));
        }
        Assert.Equal(kept, Kept(desire));
    }

    [Fact]
    public void A_rank_of_a_backbone_has_a_gpu_each_in_a_row_on_one_node()
    {
        const long Room = 2L << 30;
        ModelDesire desire = Desire() with { Deployment = OnGpus(encoder: "cpu") with { TensorParallelSize = 2 }, Stages = Stages with { Encoders = [] } };
        DeviceStatus[] apart = [new("cuda:0", Room, 0), new("cuda:1", 1000, 0), new("cuda:2", Room, 0)];
        ModelPlan refused = Plan(desire, Node("one", gpus: new DeviceStatus("cuda:0", Room, 0)), Node("apart", apart));
        Assert.Empty(refused.Actions);
        Assert.StartsWith($"no node has 2 GPUs in a row, as tensor_parallel_size asks, with {20 + (1L << 30)} bytes free on each from cuda on for backbone of 'm'", refused.Problem, StringComparison.Ordinal);
        ModelPlan plan = Plan(desire, Node("apart", apart), Node("pair", [new("cuda:0", Room, 0), new("cuda:1", Room, 0)]));
        StageAction.Place place = Assert.IsType<StageAction.Place>(Assert.Single(plan.Actions));
        Assert.Equal(["pair"], place.Nodes);
        Assert.Equal((2, 20 + (1L << 30)), (place.Spec.DeviceCount, place.Spec.Bytes));
    }

    [Fact]
    public void Ranks_on_a_processor_share_it()
    {
        ModelDesire desire = Desire() with { Deployment = _deployment with { TensorParallelSize = 2 } };
        StageSpec backbone = Plan(desire, Node("a")).Actions.OfType<StageAction.Place>().First().Spec;
        Assert.Equal((1, 40), (backbone.DeviceCount, backbone.Bytes));
    }

    [Fact]
    public void A_coming_revision_may_be_asked_once_every_component_has_a_replica()
    {
        ModelDesire desire = Desire("r2") with { ServingRevision = "r1", Scaled = new Dictionary<string, int> { ["backbone"] = 2 } };
        StageView encoder = Encoder(0, StageState.Ready, ("m", "r1"), ("m", "r2"));
        Assert.Null(Plan(desire, Node("a", stages: [Backbone("r1", 0), encoder])).Coming);
        ModelPlan half = Plan(desire, Node("a", stages: [Backbone("r1", 0), Backbone("r2", 0), encoder]));
        Assert.Equal(("r1", "m@r1/0"), (half.Serving!.Revision, Assert.Single(half.Serving.Backbones).Key));
        Assert.Equal(("r2", "m@r2/0"), (half.Coming!.Revision, Assert.Single(half.Coming.Backbones).Key));
        ModelPlan whole = Plan(desire, Node("a", stages: [Backbone("r1", 0), Backbone("r2", 0), Backbone("r2", 1), encoder]));
        Assert.Equal(("r2", null), (whole.ServingRevision, whole.Coming));
    }

    private static long Kept(ModelDesire desire, params StageView[] stages) =>
        Plan(desire, Node("a", gpus: new DeviceStatus("cuda:0", 100L << 30, 0), stages: stages)).Actions.OfType<StageAction.Place>()
            .Single(place => place.Spec.Kind == StageKind.Backbone).Spec.KeptBytes;

    private ModelDeployment OnGpus(string encoder, string backbone = "cuda") => _deployment with
    {
        Components = new Dictionary<string, ComponentDeployment>
        {
            [ModelDeployment.BackboneComponent] = new() { Device = backbone },
            ["vision"] = new() { Device = encoder },
        },
    };

    private static ModelPlan Plan(ModelDesire desire, params NodeView[] nodes) => ModelPlanner.Plan("m", desire, nodes);

    private ModelDesire Desire(string revision = "r1") => new(_deployment, revision, Stages, null, new Dictionary<string, int>());

    private static NodeView Node(string name, long free = 1000, string role = "worker", bool draining = false, DeviceStatus? gpus = null, params StageView[] stages) =>
        Node(name, free, role, draining, gpus is null ? [] : [gpus], stages);

    private static NodeView Node(string name, DeviceStatus[] gpus) => Node(name, free: 1000, role: "worker", draining: false, gpus, []);

    private static NodeView Node(string name, long free, string role, bool draining, DeviceStatus[] gpus, StageView[] stages) => new(
        new NodeStatus { Name = name, Address = name, Role = role, Draining = draining, Devices = [new("cpu", free, 0), .. gpus] },
        [.. stages.Select(stage => stage with { Status = stage.Status with { Node = name } })]);

    private static StageView Backbone(string revision, int replica, StageState state = StageState.Ready, int used = 0) => new()
    {
        Kind = StageKind.Backbone,
        Facts = new BackboneFacts(100, 10, Engine.DecoderKind.CausalLm, 16),
        Status = new StageStatus
        {
            Key = $"m@{revision}/{replica}",
            Models = ["m"],
            Revision = revision,
            Component = ModelDeployment.BackboneComponent,
            Replica = replica,
            Node = "",
            State = state,
            Problem = state == StageState.Failed ? "broken" : null,
            Load = new StageLoad { QueueUsed = used },
        },
    };

    private static StageView Encoder(int replica, StageState state, params (string Model, string Revision)[] uses) => new()
    {
        Kind = StageKind.Encoder,
        Digest = Digest,
        Uses = [.. uses.Select(use => new EncoderUse(use.Model, use.Revision, "vision", 7, true))],
        Status = new StageStatus
        {
            Key = $"{Digest}/{replica}",
            Models = [.. uses.Select(use => use.Model)],
            Component = "vision",
            Replica = replica,
            Node = "",
            State = state,
        },
    };
}
