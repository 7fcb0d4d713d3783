using System.Collections.Concurrent;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.Admission;
using MmCluster.Gateway.Metrics;
using MmCluster.Models;
using MmCluster.Models.Cards;

namespace MmCluster.Gateway.Tests.Admission;

public sealed class AdmissionGateTests
{
    private readonly ConcurrentDictionary<string, bool> _ids = new();

    private static ModelRequest Request(string id, int choices = 1, int media = 0) => new()
    {
        Id = id,
        Input = ModelInput.Chat.FromUser("a", Enumerable.Range(0, media).Select(_ => new MediaItem(Modality.Image, default, "m"))),
        Sampling = new SamplingParameters { Choices = choices },
    };

    [Fact]
    public void Choices_and_media_items_cost_one_each()
    {
        var gate = new AdmissionGate(_ids, 6);
        Assert.Equal(5, gate.Enter(Request("a", choices: 2, media: 3)));
        Assert.Throws<MmException>(() => gate.Enter(Request("b", choices: 2)));
        Assert.Equal(1, gate.Enter(Request("c")));
        Assert.Equal(6, gate.Used);
    }

    [Fact]
    public void What_is_refused_leaves_neither_units_nor_its_id()
    {
        var gate = new AdmissionGate(_ids, 1);
        gate.Enter(Request("a"));
        Assert.Equal(MmErrorCode.Unavailable, Assert.Throws<MmException>(() => gate.Enter(Request("b"))).Code);
        Assert.Equal(MmErrorCode.AlreadyExists, Assert.Throws<MmException>(() => gate.Enter(Request("a"))).Code);
        Assert.Equal((1, 1), (gate.Used, _ids.Count));
    }

    [Fact]
    public async Task Units_come_back_however_a_request_ends()
    {
        var gate = new AdmissionGate(_ids, 4);
        CancellationToken stop = TestContext.Current.CancellationToken;
        var endless = new AdmittedModel(new EndlessModel("x"), gate, new TenantMetrics(), new ManualTime());
        await foreach (SequenceOutput output in endless.GenerateAsync(Request("early"), stop))
        {
            Assert.Equal(1, gate.Used);
            break;
        }
        using var cancelled = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (SequenceOutput output in endless.GenerateAsync(Request("cancelled"), cancelled.Token))
            {
                await cancelled.CancelAsync();
            }
        });
        await Assert.ThrowsAsync<MmException>(async () =>
        {
            await foreach (SequenceOutput output in endless.GenerateAsync(Request("late") with { Deadline = DateTimeOffset.MinValue }, stop))
            {
                Assert.Fail("nothing is generated past the deadline");
            }
        });
        Assert.Equal((0, 0), (gate.Used, _ids.Count));
    }
}
