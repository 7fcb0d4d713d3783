using System.Net;
using MmCluster.Gateway.Hosting;

namespace MmCluster.Gateway.Tests.Admission;

public sealed class AdmissionTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static async Task<HttpResponseMessage> AskAsync(TestGateway gateway, string fields = "", string? id = null, CancellationTokenSource? leave = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions")
        {
            Content = new StringContent($$"""{"messages":[{"role":"user","content":"a"}]{{fields}}}"""),
        };
        if (id is not null)
        {
            request.Headers.Add("X-Request-Id", id);
        }
        return await gateway.Http.SendAsync(request, leave?.Token ?? Stop);
    }

    [Fact]
    public async Task A_full_queue_is_503_with_when_to_retry_and_takes_the_next_when_one_ends()
    {
        var model = new HeldModel();
        await using TestGateway gateway = await TestGateway.StartAsync(model, new GatewayOptions { MaxQueue = 2 });
        Task<HttpResponseMessage> first = AskAsync(gateway, ",\"n\":2");
        await model.BegunAsync();
        using HttpResponseMessage refused = await AskAsync(gateway);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, 1), (refused.StatusCode, refused.Headers.RetryAfter?.Delta?.TotalSeconds));
        model.Release();
        Assert.Equal(HttpStatusCode.OK, (await first).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(gateway)).StatusCode);
        Assert.Contains(
            "mm:tenant_rejections_total{tenant=\"default\",reason=\"queue_full\"} 1\n", await gateway.Http.GetStringAsync("/metrics", Stop), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_request_larger_than_the_queue_runs_alone()
    {
        var model = new HeldModel();
        await using TestGateway gateway = await TestGateway.StartAsync(model, new GatewayOptions { MaxQueue = 2 });
        model.Release();
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(gateway, ",\"n\":9")).StatusCode);
    }

    [Fact]
    public async Task Of_200_at_once_a_queue_of_64_answers_64_and_turns_the_others_down()
    {
        var model = new HeldModel();
        await using TestGateway gateway = await TestGateway.StartAsync(model, new GatewayOptions { MaxQueue = 64 });
        List<Task<HttpResponseMessage>> asking = [.. Enumerable.Range(0, 200).Select(_ => AskAsync(gateway))];
        var statuses = new List<HttpStatusCode>();
        for (int done = 0; done < 200; done++)
        {
            if (done == 136)
            {
                model.Release();
            }
            Task<HttpResponseMessage> next = await Task.WhenAny(asking);
            asking.Remove(next);
            statuses.Add((await next).StatusCode);
        }
        Assert.Equal(136, statuses.Count(status => status == HttpStatusCode.ServiceUnavailable));
        Assert.Equal(64, statuses.Count(status => status == HttpStatusCode.OK));
    }

    [Fact]
    public async Task An_id_in_flight_is_409_and_free_again_when_its_request_has_ended()
    {
        var model = new HeldModel();
        await using TestGateway gateway = await TestGateway.StartAsync(model);
        Task<HttpResponseMessage> first = AskAsync(gateway, id: "mine");
        await model.BegunAsync();
        Assert.Equal(HttpStatusCode.Conflict, (await AskAsync(gateway, id: "mine")).StatusCode);
        model.Release();
        Assert.Equal(HttpStatusCode.OK, (await first).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(gateway, id: "mine")).StatusCode);
    }

    [Fact]
    public async Task A_deadline_ends_the_models_work_and_is_504()
    {
        var (model, time) = (new HeldModel(), new ManualTime());
        await using TestGateway gateway = await TestGateway.StartAsync(model, new GatewayOptions { RequestTimeout = TimeSpan.FromSeconds(5) }, time);
        Task<HttpResponseMessage> asking = AskAsync(gateway);
        await model.BegunAsync();
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(HttpStatusCode.GatewayTimeout, (await asking).StatusCode);
        await model.EndedAsync();
    }

    [Theory]
    [InlineData("")]
    [InlineData(",\"stream\":true")]
    public async Task A_client_that_goes_away_ends_the_models_work(string fields)
    {
        var model = new HeldModel();
        await using TestGateway gateway = await TestGateway.StartAsync(model);
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        Task<HttpResponseMessage> asking = AskAsync(gateway, fields, leave: leave);
        await model.BegunAsync();
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
        await model.EndedAsync();
    }
}
