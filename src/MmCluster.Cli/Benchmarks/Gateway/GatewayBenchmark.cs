using System.Diagnostics;
using System.Text;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using MmCluster.Models;
using MmCluster.Protos.V1;

namespace MmCluster.Cli.Benchmarks.Gateway;

/// <summary>What the way from a client through gateway and grains costs, when the model costs nothing: a closed loop on loopback.</summary>
internal sealed class GatewayBenchmark : IDisposable
{
    private readonly GatewayUnderTest _server;
    private readonly GrpcChannel _channel;
    private readonly Generation.GenerationClient _client;
    private readonly HttpClient _http = new(new SocketsHttpHandler()) { Timeout = Timeout.InfiniteTimeSpan };

    public GatewayBenchmark(GatewayUnderTest server)
    {
        _server = server;
        _channel = GrpcChannel.ForAddress(server.Address);
        _client = new Generation.GenerationClient(_channel);
    }

    /// <summary>Waits until the model answers.</summary>
    public async Task ReadyAsync(CancellationToken cancellationToken)
    {
        using AsyncServerStreamingCall<HealthCheckResponse> watch =
            new Health.HealthClient(_channel).Watch(new HealthCheckRequest { Service = "sim" }, cancellationToken: cancellationToken);
        while (await watch.ResponseStream.MoveNext(cancellationToken)
            && watch.ResponseStream.Current.Status != HealthCheckResponse.Types.ServingStatus.Serving)
        {
        }
    }

    /// <summary>One-token generations over gRPC by <paramref name="callers"/> at once, for about <paramref name="duration"/>.</summary>
    public async Task<UnaryFigures> UnaryAsync(int callers, TimeSpan duration, CancellationToken cancellationToken)
    {
        long end = Stopwatch.GetTimestamp() + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        long start = Stopwatch.GetTimestamp();
        List<double>[] latencies = await Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(() => CallerAsync(end, cancellationToken), cancellationToken)));
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double[] sorted = [.. latencies.SelectMany(one => one).Order()];
        return new UnaryFigures(callers, sorted.Length / seconds, At(sorted, 0.5), At(sorted, 0.99), sorted[^1]);
    }

    /// <summary>Streams over gRPC, all at once.</summary>
    public Task<StreamFigures> GrpcStreamsAsync(int streams, int tokens, CancellationToken cancellationToken) =>
        StreamsAsync("grpc", streams, tokens, () => ReadGrpcAsync(tokens, cancellationToken), cancellationToken);

    /// <summary>Streams of server-sent events over HTTP/1.1, all at once.</summary>
    public Task<StreamFigures> EventStreamsAsync(int streams, int tokens, CancellationToken cancellationToken) =>
        StreamsAsync("sse", streams, tokens, () => ReadEventsAsync(tokens, cancellationToken), cancellationToken);

    public void Dispose()
    {
        _channel.Dispose();
        _http.Dispose();
    }

    private async Task<List<double>> CallerAsync(long end, CancellationToken cancellationToken)
    {
        var latencies = new List<double>();
        while (Stopwatch.GetTimestamp() < end)
        {
            long start = Stopwatch.GetTimestamp();
            await ReadGrpcAsync(1, cancellationToken);
            latencies.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }
        return latencies;
    }

    private async Task<StreamFigures> StreamsAsync(string protocol, int streams, int tokens, Func<Task<int>> read, CancellationToken cancellationToken)
    {
        double allocated = await _server.AllocatedBytesAsync(_http, cancellationToken);
        long start = Stopwatch.GetTimestamp();
        int[] counts = await Task.WhenAll(Enumerable.Range(0, streams).Select(_ => Task.Run(read, cancellationToken)));
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        allocated = await _server.AllocatedBytesAsync(_http, cancellationToken) - allocated;
        int total = counts.Sum();
        return total == streams * tokens
            ? new StreamFigures(protocol, streams, tokens, total / seconds, allocated / total)
            : throw new MmException(MmErrorCode.Internal, $"{streams} streams of {tokens} tokens brought {total} tokens");
    }

    private async Task<int> ReadGrpcAsync(int tokens, CancellationToken cancellationToken)
    {
        var request = new GenerateRequest
        {
            Model = "sim",
            Tokens = new TokenPrompt { Ids = { 5 } },
            Sampling = new SamplingParameters { MaxTokens = tokens, IgnoreEos = true, Temperature = 0 },
            ReturnTokenIds = true,
        };
        using AsyncServerStreamingCall<GenerateEvent> call = _client.Generate(request, cancellationToken: cancellationToken);
        int count = 0;
        while (await call.ResponseStream.MoveNext(cancellationToken))
        {
            count += call.ResponseStream.Current.TokenIds.Count;
        }
        return count;
    }

    private async Task<int> ReadEventsAsync(int tokens, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_server.Address, "/v1/completions"))
        {
            Content = new StringContent($$"""{"model":"sim","prompt":[5],"max_tokens":{{tokens}},"ignore_eos":true,"temperature":0,"stream":true}""", Encoding.UTF8, "application/json"),
        };
        using HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        response.EnsureSuccessStatusCode();
        await using Stream stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        byte[] buffer = new byte[16 << 10];
        int events = 0;
        bool newline = false;
        int read;
        while ((read = await stream.ReadAsync(buffer, cancellationToken)) > 0)
        {
            // An event ends with an empty line; the last one is [DONE].
            foreach (byte one in buffer.AsSpan(0, read))
            {
                events += newline && one == '\n' ? 1 : 0;
                newline = one == '\n' && !newline;
            }
        }
        return events - 1;
    }

    private static double At(double[] sorted, double share) => sorted[(int)Math.Min(sorted.Length - 1, share * sorted.Length)];
}

/// <summary>One-token generations.</summary>
internal sealed record UnaryFigures(int Callers, double RequestsPerSecond, double P50, double P99, double Worst);

/// <summary>Streams; bytes are what the gateway's process allocated on its managed heap.</summary>
internal sealed record StreamFigures(string Protocol, int Streams, int Tokens, double TokensPerSecond, double BytesPerToken);
