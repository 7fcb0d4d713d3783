using System.CommandLine;
using System.Globalization;
using MmCluster.Cli.Benchmarks.Gateway;
using MmCluster.Cli.Hosting;

namespace MmCluster.Cli.Commands.Bench;

/// <summary><c>mm bench gateway</c>: the cost of the way through gateway and grains.</summary>
internal sealed class BenchGatewayCommand : Command
{
    private const int Streams = 64;
    private const int Tokens = 256;

    private readonly Option<GatewayLayout[]> _layouts = new("--layout")
    {
        Description = "one (gateway and silo in a process), two (a process each) or local (no grains); may be repeated.",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [GatewayLayout.One, GatewayLayout.Two],
    };

    private readonly Option<double> _seconds = NumberOptions.Seconds("--seconds", 5, "How long each closed loop runs.");
    private readonly Option<int> _rounds = NumberOptions.Positive("--rounds", 3, "Rounds; the best counts, as others on the machine only slow it down.");

    public BenchGatewayCommand(CommandContext context)
        : base("gateway", "Measure gateway and grains with a model that costs nothing.")
    {
        Add(_layouts);
        Add(_seconds);
        Add(_rounds);
        SetAction((parsed, cancellationToken) => RunAsync(parsed, context, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken)
    {
        var results = new Dictionary<string, object>();
        foreach (GatewayLayout layout in parsed.GetRequiredValue(_layouts).Distinct())
        {
            await using GatewayUnderTest server = await GatewayUnderTest.StartAsync(layout, cancellationToken);
            using var benchmark = new GatewayBenchmark(server);
            await benchmark.ReadyAsync(cancellationToken);
            await WarmUpAsync(benchmark, cancellationToken);
            var duration = TimeSpan.FromSeconds(parsed.GetValue(_seconds));
            int rounds = parsed.GetValue(_rounds);
            UnaryFigures alone = (await RepeatAsync(rounds, () => benchmark.UnaryAsync(1, duration, cancellationToken))).MinBy(figures => figures.P50)!;
            UnaryFigures many = (await RepeatAsync(rounds, () => benchmark.UnaryAsync(Streams, duration, cancellationToken))).MaxBy(figures => figures.RequestsPerSecond)!;
            StreamFigures grpc = (await RepeatAsync(rounds, () => benchmark.GrpcStreamsAsync(Streams, Tokens, cancellationToken))).MaxBy(figures => figures.TokensPerSecond)!;
            StreamFigures sse = (await RepeatAsync(rounds, () => benchmark.EventStreamsAsync(Streams, Tokens, cancellationToken))).MaxBy(figures => figures.TokensPerSecond)!;
            await WriteAsync(context.Error, layout, alone, many, grpc, sse);
            results[layout.ToString().ToLowerInvariant()] = new
            {
                c1_p50_ms = Round(alone.P50),
                c1_p99_ms = Round(alone.P99),
                c64_requests_per_second = Round(many.RequestsPerSecond),
                c64_p50_ms = Round(many.P50),
                c64_p99_ms = Round(many.P99),
                grpc_tokens_per_second = Round(grpc.TokensPerSecond),
                grpc_bytes_per_token = Round(grpc.BytesPerToken),
                sse_tokens_per_second = Round(sse.TokensPerSecond),
                sse_bytes_per_token = Round(sse.BytesPerToken),
            };
        }
        if (parsed.GetValue(GlobalOptions.Json))
        {
            results["schema"] = 1;
            await context.Out.WriteLineAsync(JsonLine.Of(results));
        }
        return ExitCodes.Done;
    }

    // Compiled and tiered up before the clock starts.
    private static async Task WarmUpAsync(GatewayBenchmark benchmark, CancellationToken cancellationToken)
    {
        for (int i = 0; i < 3; i++)
        {
            await benchmark.UnaryAsync(Streams, TimeSpan.FromSeconds(1), cancellationToken);
            await benchmark.GrpcStreamsAsync(Streams, Tokens, cancellationToken);
            await benchmark.EventStreamsAsync(Streams, Tokens, cancellationToken);
        }
    }

    private static async Task<List<T>> RepeatAsync<T>(int rounds, Func<Task<T>> measure)
    {
        var all = new List<T>();
        for (int i = 0; i < rounds; i++)
        {
            all.Add(await measure());
        }
        return all;
    }

    private static Task WriteAsync(TextWriter text, GatewayLayout layout, UnaryFigures alone, UnaryFigures many, StreamFigures grpc, StreamFigures sse) =>
        text.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"""
            {layout}: one-token Generate, 1 caller: p50 {alone.P50:0.000} ms, p99 {alone.P99:0.000} ms (wanted p50 1)
            {layout}: one-token Generate, {many.Callers} callers: {many.RequestsPerSecond:0} requests/s, p50 {many.P50:0.0} ms, p99 {many.P99:0.0} ms (wanted 5000, p99 40)
            {layout}: {grpc.Streams} gRPC streams of {grpc.Tokens}: {grpc.TokensPerSecond:0} tokens/s (wanted 40000), {grpc.BytesPerToken:0} B a token (wanted 512)
            {layout}: {sse.Streams} SSE streams of {sse.Tokens}: {sse.TokensPerSecond:0} tokens/s (wanted 20000), {sse.BytesPerToken:0} B a token (wanted 512)
            """));

    private static double Round(double value) => Math.Round(value, 3);
}
