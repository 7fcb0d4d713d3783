using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using MmCluster.Media.Images.Png;
using MmCluster.Models;

namespace MmCluster.Cli.Benchmarks.Serving;

/// <summary>Makes the bodies of a benchmark's requests from its seed: token-id prompts, or chats with pictures of noise.</summary>
internal sealed class ServingWorkload(ServingOptions options, string model, int vocabularySize)
{
    private const int FirstOrdinaryToken = 259;

    private readonly Random _random = new(options.Seed);
    private readonly int[] _prefix = Tokens(new Random(options.Seed + 1), options.PrefixLength, vocabularySize);

    /// <summary>The route that the bodies are for.</summary>
    public string Route => options.ImagesPerRequest > 0 ? "/v1/chat/completions" : "/v1/completions";

    /// <summary>The next request's body as UTF-8 JSON.</summary>
    public byte[] Next()
    {
        int input = Length(options.InputLength);
        int output = Length(options.OutputLength);
        var body = new JsonObject
        {
            ["model"] = model,
            ["max_tokens"] = output,
            ["temperature"] = 0,
            ["stream"] = true,
            ["stream_options"] = new JsonObject { ["include_usage"] = true },
            ["ignore_eos"] = options.IgnoreEos,
        };
        if (options.ImagesPerRequest > 0)
        {
            body["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = Chat(input) });
        }
        else
        {
            int[] prompt = [.. _prefix, .. Tokens(_random, input, vocabularySize)];
            body["prompt"] = new JsonArray([.. prompt.Select(id => (JsonNode)id)]);
        }
        return JsonSerializer.SerializeToUtf8Bytes(body);
    }

    private JsonArray Chat(int words)
    {
        var parts = new JsonArray();
        for (int i = 0; i < options.ImagesPerRequest; i++)
        {
            string url = "data:image/png;base64," + Convert.ToBase64String(Noise());
            parts.Add(new JsonObject { ["type"] = "image_url", ["image_url"] = new JsonObject { ["url"] = url } });
        }
        string text = string.Join(' ', Enumerable.Range(0, words).Select(_ => _random.Next(1000).ToString(CultureInfo.InvariantCulture)));
        parts.Add(new JsonObject { ["type"] = "text", ["text"] = text });
        return parts;
    }

    private byte[] Noise()
    {
        (int width, int height) = options.ImageSize;
        byte[] pixels = new byte[width * height * 3];
        _random.NextBytes(pixels);
        return PngEncoder.Encode(pixels, width, height, channels: 3);
    }

    private int Length(int mean) => options.RangeRatio == 0
        ? mean
        : _random.Next(Math.Max(1, (int)(mean * (1 - options.RangeRatio))), (int)(mean * (1 + options.RangeRatio)) + 1);

    private static int[] Tokens(Random random, int count, int vocabularySize)
    {
        if (vocabularySize <= FirstOrdinaryToken)
        {
            throw new MmException(
                MmErrorCode.InvalidArgument, $"ids are drawn from {FirstOrdinaryToken} up; a vocabulary of {vocabularySize} has none")
            {
                Param = "vocab-size",
            };
        }
        int[] ids = new int[count];
        for (int i = 0; i < count; i++)
        {
            ids[i] = random.Next(FirstOrdinaryToken, vocabularySize);
        }
        return ids;
    }
}
