using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.Hosting;
using MmCluster.Gateway.Models;
using MmCluster.Models;

namespace MmCluster.Gateway.Tests.Admission;

/// <summary>The gateway has room, a stage in the middle of the request's way has none.</summary>
public sealed class FullStageTests
{
    [Theory]
    [InlineData(MmErrorCode.Unavailable, HttpStatusCode.ServiceUnavailable, "unavailable", false)]
    [InlineData(MmErrorCode.Unavailable, HttpStatusCode.ServiceUnavailable, "unavailable", true)]
    [InlineData(MmErrorCode.ResourceExhausted, HttpStatusCode.TooManyRequests, "rate_limit_exceeded", false)]
    [InlineData(MmErrorCode.ResourceExhausted, HttpStatusCode.TooManyRequests, "rate_limit_exceeded", true)]
    public async Task A_full_stage_is_a_status_that_names_it_and_when_to_retry_streamed_or_not(MmErrorCode code, HttpStatusCode status, string told, bool stream)
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new FullModel(code), new GatewayOptions());
        using var content = new StringContent($$"""{"messages":[{"role":"user","content":"a"}],"stream":{{(stream ? "true" : "false")}}}""");
        using HttpResponseMessage refused = await gateway.Http.PostAsync("/v1/chat/completions", content, TestContext.Current.CancellationToken);
        Assert.Equal((status, 2), (refused.StatusCode, refused.Headers.RetryAfter?.Delta?.TotalSeconds));
        using var body = JsonDocument.Parse(await refused.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        JsonElement error = body.RootElement.GetProperty("error");
        Assert.Equal(told, error.GetProperty("code").GetString());
        Assert.Contains("backbone mini@r/0", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    private sealed class FullModel(MmErrorCode code) : IServedModel
    {
        public string Id => "full";

        public ServedModelInfo Info { get; } = new(DateTimeOffset.UnixEpoch, 4096, 1000);

        public bool Ready => true;

        public SamplingParameters DefaultSampling { get; } = new();

        public string TokenText(int token) => "";

        public async IAsyncEnumerable<SequenceOutput> GenerateAsync(ModelRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await Task.Yield();
            throw new MmException(code, "the queue of backbone mini@r/0 is full (64 cost units); try again later")
            {
                Stage = "backbone mini@r/0",
                RetryAfter = TimeSpan.FromSeconds(1.5),
            };
#pragma warning disable CS0162 // a stream all the same
            yield break;
#pragma warning restore CS0162
        }
    }
}
