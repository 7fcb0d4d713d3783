using System.Net.Http.Headers;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.Admission;
using MmCluster.Gateway.Hosting;
using MmCluster.Models;

namespace MmCluster.Gateway.Tests.Admission;

public sealed class SlowClientTests
{
    private readonly ManualTime _time = new();
    private int _abandoned;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static ModelRequest Request => new() { Input = new ModelInput.Text("a"), Sampling = new SamplingParameters() };

    private IAsyncEnumerator<SequenceOutput> Buffer(EndlessModel model) =>
        SlowClient.BufferAsync(model.GenerateAsync(Request, Stop), _time, () => _abandoned++, Stop).GetAsyncEnumerator(Stop);

    [Fact]
    public async Task A_client_1024_entries_behind_pauses_the_model_and_one_that_catches_up_goes_on()
    {
        var model = new EndlessModel("x");
        await using IAsyncEnumerator<SequenceOutput> client = Buffer(model);
        // The model gives entries without waiting, so that it is paused when the first one is there.
        Assert.True(await client.MoveNextAsync());
        Assert.Equal(SlowClient.MaxBehind + 1, model.Written);
        _time.Advance(SlowClient.Patience - TimeSpan.FromTicks(1));
        for (int i = 2; i <= 3 * SlowClient.MaxBehind; i++)
        {
            Assert.True(await client.MoveNextAsync());
            Assert.Equal(i, client.Current.SequenceNumber);
        }
        Assert.Equal(0, _abandoned);
    }

    [Fact]
    public async Task After_30_seconds_it_is_cancelled_with_what_it_had_coming()
    {
        var model = new EndlessModel("x");
        await using IAsyncEnumerator<SequenceOutput> client = Buffer(model);
        await client.MoveNextAsync();
        _time.Advance(SlowClient.Patience);
        await model.StoppedAsync;
        Assert.Equal(1, _abandoned);
        int rest = 0;
        MmException error = await Assert.ThrowsAsync<MmException>(async () =>
        {
            while (await client.MoveNextAsync())
            {
                rest++;
            }
        });
        Assert.Equal((SlowClient.MaxBehind - 1, MmErrorCode.Cancelled), (rest, error.Code));
    }

    [Fact]
    public async Task A_trickle_of_reads_does_not_win_time()
    {
        var model = new EndlessModel("x");
        await using IAsyncEnumerator<SequenceOutput> client = Buffer(model);
        for (int i = 0; i < 30; i++)
        {
            await client.MoveNextAsync();
            _time.Advance(TimeSpan.FromSeconds(1));
        }
        await model.StoppedAsync;
        Assert.Equal(1, _abandoned);
    }

    [Fact]
    public async Task Stopping_early_stops_the_model()
    {
        var model = new EndlessModel("x");
        await using (IAsyncEnumerator<SequenceOutput> client = Buffer(model))
        {
            await client.MoveNextAsync();
        }
        await model.StoppedAsync;
        Assert.Equal(0, _abandoned);
    }

    [Fact]
    public async Task A_socket_that_nobody_reads_is_cut_and_the_models_work_ends()
    {
        var model = new EndlessModel(new string('x', 64 << 10));
        await using TestGateway gateway = await TestGateway.StartAsync(model, new GatewayOptions(), _time);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions")
        {
            Content = new StringContent("""{"prompt":"a","stream":true}""", new MediaTypeHeaderValue("application/json")),
        };
        using HttpResponseMessage response = await gateway.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop);
        await _time.WaitsAsync(SlowClient.Patience);
        _time.Advance(SlowClient.Patience);
        await model.StoppedAsync;
        Assert.Contains("reason=\"slow_client\"} 1\n", await gateway.Http.GetStringAsync("/metrics", Stop), StringComparison.Ordinal);
    }
}
