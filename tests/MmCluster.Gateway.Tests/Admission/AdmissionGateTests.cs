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

    private static ModelRequest Request(string id, int choices = 1, int media = 0, string tenant = "") => new()
    {
        Id = id,
        Tenant = tenant,
        Input = ModelInput.Chat.FromUser("a", Enumerable.Range(0, media).Select(_ => new MediaItem(Modality.Image, default, "m"))),
        Sampling = new SamplingParameters { Choices = choices },
    };

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Choices_and_media_items_cost_one_each()
    {
        var gate = new AdmissionGate(_ids, 6);
        Assert.Equal(5, (await gate.EnterAsync(Request("a", choices: 2, media: 3), Stop)).Cost);
        await Assert.ThrowsAsync<MmException>(() => gate.EnterAsync(Request("b", choices: 2), Stop).AsTask());
        Assert.Equal(1, (await gate.EnterAsync(Request("c"), Stop)).Cost);
        Assert.Equal(6, gate.Used);
    }

    [Fact]
    public async Task What_is_refused_leaves_neither_units_nor_its_id()
    {
        var gate = new AdmissionGate(_ids, 1);
        await gate.EnterAsync(Request("a"), Stop);
        Assert.Equal(MmErrorCode.Unavailable, (await Assert.ThrowsAsync<MmException>(() => gate.EnterAsync(Request("b"), Stop).AsTask())).Code);
        Assert.Equal(MmErrorCode.AlreadyExists, (await Assert.ThrowsAsync<MmException>(() => gate.EnterAsync(Request("a"), Stop).AsTask())).Code);
        Assert.Equal((1, 1), (gate.Used, _ids.Count));
    }

    [Fact]
    public async Task Tenants_take_turns_however_much_one_has_waiting()
    {
        var gate = new AdmissionGate(_ids, 100, maxRunning: 1);
        AdmissionTicket running = await gate.EnterAsync(Request("first"), Stop);
        List<Task<AdmissionTicket>> waiting = [.. Enumerable.Range(0, 6).Select(i => gate.EnterAsync(Request($"many-{i}", tenant: "many"), Stop).AsTask())];
        waiting.AddRange(Enumerable.Range(0, 2).Select(i => gate.EnterAsync(Request($"few-{i}", tenant: "few"), Stop).AsTask()));
        var order = new List<string>();
        while (waiting.Count > 0)
        {
            gate.Leave(running);
            Task<AdmissionTicket> next = await Task.WhenAny(waiting);
            waiting.Remove(next);
            running = await next;
            order.Add(running.Id);
        }
        Assert.Equal(["many-0", "few-0", "many-1", "few-1", "many-2", "many-3", "many-4", "many-5"], order);
    }

    [Fact]
    public async Task The_lower_priority_value_goes_first_and_the_older_within_it()
    {
        var gate = new AdmissionGate(_ids, 100, maxRunning: 1);
        AdmissionTicket running = await gate.EnterAsync(Request("first"), Stop);
        Task<AdmissionTicket>[] waiting =
        [
            gate.EnterAsync(Request("late") with { Priority = 1 }, Stop).AsTask(),
            gate.EnterAsync(Request("a"), Stop).AsTask(),
            gate.EnterAsync(Request("b"), Stop).AsTask(),
            gate.EnterAsync(Request("urgent") with { Priority = -1 }, Stop).AsTask(),
        ];
        foreach (int expected in (int[])[3, 1, 2, 0])
        {
            gate.Leave(running);
            running = await waiting[expected];
        }
    }

    [Fact]
    public async Task A_full_queue_turns_down_the_newest_of_the_tenant_with_the_most_waiting()
    {
        var gate = new AdmissionGate(_ids, 4, maxRunning: 1);
        AdmissionTicket running = await gate.EnterAsync(Request("first"), Stop);
        Task<AdmissionTicket>[] many = [.. Enumerable.Range(0, 3).Select(i => gate.EnterAsync(Request($"many-{i}", tenant: "many"), Stop).AsTask())];
        Task<AdmissionTicket> few = gate.EnterAsync(Request("few", tenant: "few"), Stop).AsTask();
        MmException turnedDown = await Assert.ThrowsAsync<MmException>(() => many[2]);
        Assert.NotNull(turnedDown.RetryAfter);
        // The one with the most waiting makes no room for more of its own.
        await Assert.ThrowsAsync<MmException>(() => gate.EnterAsync(Request("many-3", tenant: "many"), Stop).AsTask());
        Assert.Equal((4, 3), (gate.Used, gate.Waiting));
        gate.Leave(running);
        gate.Leave(await many[0]);
        gate.Leave(await few);
        gate.Leave(await many[1]);
        Assert.Equal((0, 0, 0), (gate.Used, gate.Waiting, _ids.Count));
    }

    [Fact]
    public async Task Who_gives_up_waiting_leaves_nothing_behind()
    {
        var gate = new AdmissionGate(_ids, 4, maxRunning: 1);
        AdmissionTicket running = await gate.EnterAsync(Request("first"), Stop);
        using var leave = new CancellationTokenSource();
        Task<AdmissionTicket> waiting = gate.EnterAsync(Request("second"), leave.Token).AsTask();
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        Assert.Equal((1, 0, 1), (gate.Used, gate.Waiting, _ids.Count));
        gate.Leave(running);
        Assert.Equal(0, gate.Used);
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
