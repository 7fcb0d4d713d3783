using System.CommandLine;
using System.Globalization;
using MmCluster.Cli.Benchmarks.Serving;
using MmCluster.Cli.Hosting;
using Spectre.Console;

namespace MmCluster.Cli.Commands.Bench;

/// <summary><c>mm bench serve</c>: loads any OpenAI-compatible endpoint and prints latencies and throughput.</summary>
internal sealed class BenchServeCommand : Command
{
    private readonly Option<Uri> _baseUrl = new("--base-url")
    {
        Description = "Server to load.",
        DefaultValueFactory = _ => new Uri("http://127.0.0.1:8000"),
        CustomParser = result => Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out Uri? url) && url.Scheme is "http" or "https"
            ? new Uri(url.GetLeftPart(UriPartial.Path).TrimEnd('/') + "/")
            : Fail<Uri>(result, $"--base-url wants http(s)://host:port, not '{result.Tokens[0].Value}'."),
    };

    private readonly Option<string?> _model = new("--model") { Description = "Model id; default: the first of /v1/models." };
    private readonly Option<string?> _apiKey = new("--api-key") { Description = "Sent as a bearer token; default: OPENAI_API_KEY." };
    private readonly Option<int> _numPrompts = NumberOptions.Positive("--num-prompts", 100, "Requests to send.");
    private readonly Option<double> _requestRate = new("--request-rate")
    {
        Description = "Requests a second, or 'inf' to send all at once.",
        DefaultValueFactory = _ => double.PositiveInfinity,
        CustomParser = result => ParsePositive(result, allowInfinity: true),
    };

    private readonly Option<double> _burstiness = new("--burstiness")
    {
        Description = "Shape of the arrival gaps' gamma distribution; 1 is Poisson.",
        DefaultValueFactory = _ => 1,
        CustomParser = result => ParsePositive(result, allowInfinity: false),
    };

    private readonly Option<int?> _maxConcurrency = NumberOptions.PositiveOrNone("--max-concurrency", "Requests in flight at once; default: all.");
    private readonly Option<int> _inputLength = NumberOptions.Positive("--random-input-len", 1024, "Tokens a prompt (words with --images).");
    private readonly Option<int> _outputLength = NumberOptions.Positive("--random-output-len", 128, "Tokens an answer.");
    private readonly Option<double> _rangeRatio = NumberOptions.Share("--random-range-ratio", "Lengths vary by this share, in [0, 1).");
    private readonly Option<int> _prefixLength = NumberOptions.Count("--random-prefix-len", "Tokens that all prompts begin with; not with --images.");
    private readonly Option<int?> _vocabularySize = new("--vocab-size") { Description = "Ids are drawn from 259 up to below this; not with --images." };
    private readonly Option<int> _images = NumberOptions.Count("--images", "Pictures a request; uses the chat route.");
    private readonly Option<int> _imageSize = NumberOptions.Positive("--image-size", 336, "Width and height of the pictures.");
    private readonly Option<bool> _ignoreEos = new("--ignore-eos") { Description = "Generate to the full output length." };
    private readonly Option<int> _seed = new("--seed") { Description = "Seeds prompts and arrivals." };
    private readonly Option<int> _warmups = NumberOptions.Count("--num-warmups", "Requests sent and awaited before the clock starts.");
    private readonly Option<string[]> _goodput = new("--goodput")
    {
        Description = "Bounds in ms that count a request as good, as ttft:3000 tpot:80 e2el:10000.",
        AllowMultipleArgumentsPerToken = true,
    };

    public BenchServeCommand(CommandContext context)
        : base("serve", "Load an OpenAI-compatible endpoint and measure it.")
    {
        this.AddAll([_baseUrl, _model, _apiKey, _numPrompts, _requestRate, _burstiness, _maxConcurrency,
            _inputLength, _outputLength, _rangeRatio, _prefixLength, _vocabularySize, _images, _imageSize, _ignoreEos, _seed, _warmups, _goodput]);
        this.Needs(_imageSize, _images);
        this.Needs(_burstiness, _requestRate);
        this.Excludes(_prefixLength, _images);
        this.Excludes(_vocabularySize, _images);
        SetAction((parsed, cancellationToken) => RunAsync(parsed, context, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken)
    {
        ServingOptions options = Read(parsed, context);
        using var http = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = Timeout.InfiniteTimeSpan })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
        var benchmark = new ServingBenchmark(options, http, TimeProvider.System);
        ServingResult result = await context.Progress.Progress().AutoClear(true).StartAsync(async progress =>
        {
            ProgressTask bar = progress.AddTask("requests", maxValue: options.PromptCount);
            return await benchmark.RunAsync(_ => bar.Increment(1), cancellationToken);
        });
        return await PrintAsync(parsed, context, options, result);
    }

    private static async Task<int> PrintAsync(ParseResult parsed, CommandContext context, ServingOptions options, ServingResult result)
    {
        IReadOnlyList<KeyValuePair<string, double>> figures = ServingReport.Of(result.Requests, result.Duration, options.Goodput);
        if (result.Requests.FirstOrDefault(request => request.Error is not null) is { } failed)
        {
            await context.Error.WriteLineAsync($"mm: first failure: {failed.Error}");
        }
        if (parsed.GetValue(GlobalOptions.Json))
        {
            var line = new Dictionary<string, object> { ["model"] = result.Model };
            foreach ((string key, double value) in figures)
            {
                line[key] = Math.Round(value, 3);
            }
            await context.Out.WriteLineAsync(JsonLine.Of(line));
        }
        else
        {
            foreach ((string key, double value) in figures)
            {
                await context.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{key,-26}{value,14:0.00}"));
            }
        }
        return result.Requests.Any(request => request.Error is not null) ? ExitCodes.No : ExitCodes.Done;
    }

    private ServingOptions Read(ParseResult parsed, CommandContext context) => new()
    {
        BaseUrl = parsed.GetRequiredValue(_baseUrl),
        Model = parsed.GetValue(_model),
        ApiKey = parsed.GetValue(_apiKey) ?? context.Environment("OPENAI_API_KEY"),
        PromptCount = parsed.GetValue(_numPrompts),
        RequestRate = parsed.GetValue(_requestRate),
        Burstiness = parsed.GetValue(_burstiness),
        MaxConcurrency = parsed.GetValue(_maxConcurrency),
        InputLength = parsed.GetValue(_inputLength),
        OutputLength = parsed.GetValue(_outputLength),
        RangeRatio = parsed.GetValue(_rangeRatio),
        PrefixLength = parsed.GetValue(_prefixLength),
        VocabularySize = parsed.GetValue(_vocabularySize),
        ImagesPerRequest = parsed.GetValue(_images),
        ImageSize = (parsed.GetValue(_imageSize), parsed.GetValue(_imageSize)),
        IgnoreEos = parsed.GetValue(_ignoreEos),
        Seed = parsed.GetValue(_seed),
        WarmupCount = parsed.GetValue(_warmups),
        Goodput = ParseGoodput(parsed.GetValue(_goodput) ?? []),
    };

    private static Dictionary<string, double> ParseGoodput(string[] pairs)
    {
        var bounds = new Dictionary<string, double>();
        foreach (string pair in pairs)
        {
            string[] parts = pair.Split(':');
            if (parts.Length != 2 || parts[0] is not ("ttft" or "tpot" or "e2el")
                || !double.TryParse(parts[1], NumberStyles.Float, CultureInfo.InvariantCulture, out double bound))
            {
                throw new ArgumentException($"--goodput wants pairs such as ttft:3000 tpot:80 e2el:10000, not '{pair}'");
            }
            bounds[parts[0]] = bound;
        }
        return bounds;
    }

    private static double ParsePositive(System.CommandLine.Parsing.ArgumentResult result, bool allowInfinity)
    {
        string text = result.Tokens[0].Value;
        if (allowInfinity && text == "inf")
        {
            return double.PositiveInfinity;
        }
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value > 0 && double.IsFinite(value)
            ? value
            : Fail<double>(result, $"'{text}' is not a number above 0.");
    }

    private static T? Fail<T>(System.CommandLine.Parsing.ArgumentResult result, string message)
    {
        result.AddError(message);
        return default;
    }
}
