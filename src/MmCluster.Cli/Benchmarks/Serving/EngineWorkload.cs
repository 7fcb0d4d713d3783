using System.Diagnostics;
using System.Globalization;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Media.Images.Png;
using MmCluster.Models.Cards;

namespace MmCluster.Cli.Benchmarks.Serving;

/// <summary>Chats of random words and pictures of noise, as <see cref="ServingWorkload"/> makes them, handed to a model in this process.</summary>
internal sealed class EngineWorkload(int words, int outputTokens, int images, int imageSize, int seed)
{
    private readonly Random _random = new(seed);

    /// <summary>Output tokens a second of <paramref name="count"/> requests, <paramref name="concurrency"/> at once.</summary>
    public async Task<double> RunAsync(LocalModel model, int count, int concurrency, CancellationToken cancellationToken)
    {
        ModelRequest[] requests = [.. Enumerable.Range(0, count).Select(_ => Next())];
        long start = Stopwatch.GetTimestamp();
        long tokens = 0;
        await Parallel.ForEachAsync(
            requests,
            new ParallelOptions { MaxDegreeOfParallelism = concurrency, CancellationToken = cancellationToken },
            async (request, stop) => Interlocked.Add(ref tokens, await AnswerAsync(model, request, stop)));
        return tokens / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static async Task<int> AnswerAsync(LocalModel model, ModelRequest request, CancellationToken stop)
    {
        int tokens = 0;
        await foreach (SequenceOutput output in model.GenerateAsync(request, stop))
        {
            if (output.Error is { } error)
            {
                throw error;
            }
            tokens += output.TokenIds.Length;
        }
        return tokens;
    }

    private ModelRequest Next() => new()
    {
        Input = ModelInput.Chat.FromUser(
            string.Join(' ', Enumerable.Range(0, words).Select(_ => _random.Next(1000).ToString(CultureInfo.InvariantCulture))),
            Enumerable.Range(0, images).Select(i => new MediaItem(Modality.Image, Noise(), $"picture {i}"))),
        Sampling = new SamplingParameters { Temperature = 0, MaxTokens = outputTokens, IgnoreEos = true },
    };

    private byte[] Noise()
    {
        byte[] pixels = new byte[imageSize * imageSize * 3];
        _random.NextBytes(pixels);
        return PngEncoder.Encode(pixels, imageSize, imageSize, channels: 3);
    }
}
