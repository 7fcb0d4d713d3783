using MmCluster.Engine.Tests.Simulation;
using MmCluster.Models.Backbones;
using MmCluster.Tensors;

namespace MmCluster.Engine.Tests.Kinds;

/// <summary>Requests to tiny decoders of all kinds, and what a naive twin makes of them.</summary>
internal static class DecoderCase
{
    /// <summary>Tokens that a request asks for.</summary>
    public const int Output = 30;

    public static TheoryData<string, string> KindsAndWays
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (string kind in new[] { "prefix", "span", "experts", "cross" })
            {
                foreach (string way in new[] { "batched", "chunked", "preempted", "cached", "choices" })
                {
                    data.Add(kind, way);
                }
            }
            return data;
        }
    }

    /// <summary>A network of a kind.</summary>
    public static TinyBackbone Network(string kind, Device device) => kind switch
    {
        "cross" => new TinyFlamingo(device),
        "prefix" => new TinyBackbone(BackboneKind.PrefixLm, experts: false, device),
        _ => new TinyBackbone(BackboneKind.CausalLm, experts: kind == "experts", device),
    };

    /// <summary>Request <paramref name="i"/> to it.</summary>
    public static EngineRequest Request(string kind, int i, string id, int choices = 1)
    {
        PromptPiece Text(int count, int seed) => new PromptPiece.Tokens(Requests.Prompt(count, seed).Select(token => token % 60).ToArray());
        PromptPiece Media(int key, int length, int rows)
        {
            MediaInput input = new((UInt128)key, length, 61, Task.FromResult(Features(key, rows)));
            return new PromptPiece.Media(input with { Bidirectional = kind == "span" });
        }
        return new EngineRequest
        {
            Id = id,
            Prompt = kind switch
            {
                "prefix" => [Text(33 + (3 * i), i)],
                "cross" => [Text(5 + i, 1), Media(7, 1, 6), Text(9, 2), Media(8 + i, 1, 4), Text(20, i)],
                _ => [Text(25, 1), Media(7 + (i % 2), 10, 10), Text(8 + i, i)],
            },
            Sampling = new SamplingParameters { Temperature = 0, Seed = (ulong)i, MaxTokens = Output, IgnoreEos = true, Choices = choices, Logprobs = 0 },
        };
    }

    private static Tensor Features(int key, int rows)
    {
        Random random = new(key);
        return Tensor.From([.. Enumerable.Range(0, rows * TinyBackbone.Width).Select(_ => random.NextSingle() - 0.5f)], [rows, TinyBackbone.Width]);
    }

    /// <summary>Logits of all positions of a request and its output, computed at once.</summary>
    public static Tensor Twin(TinyBackbone network, string kind, EngineRequest request, List<int> output)
    {
        List<int> ids = [];
        List<(int Position, int Length, Tensor Features)> media = [];
        foreach (PromptPiece piece in request.Prompt)
        {
            if (piece is PromptPiece.Media { Input: { } input })
            {
                media.Add((ids.Count, input.Length, input.Features.GetAwaiter().GetResult()));
                ids.AddRange(Enumerable.Repeat(kind == "cross" ? input.PlaceholderToken : 0, input.Length));
            }
            else
            {
                ids.AddRange(((PromptPiece.Tokens)piece).Ids.Span);
            }
        }
        int prompt = ids.Count;
        ids.AddRange(output.Take(output.Count - 1));
        Tensor rows = network.Embed(Tensor.From(ids.ToArray(), [ids.Count]));
        int[] types = new int[ids.Count];
        foreach ((int position, int length, Tensor features) in media.Where(_ => kind != "cross"))
        {
            features.ToArray<float>().CopyTo(rows.AsSpan<float>()[(position * TinyBackbone.Width)..]);
            types.AsSpan(position, length).Fill(1);
        }
        bool Together(int a, int b) => kind == "prefix" ? Math.Max(a, b) < prompt
            : kind == "span" && media.Any(item => Math.Min(a, b) >= item.Position && Math.Max(a, b) < item.Position + item.Length);
        // Rows of the last item at or before a position.
        bool Remembers(int position, int row)
        {
            int item = media.FindLastIndex(item => item.Position <= position);
            int first = media.Take(Math.Max(item, 0)).Sum(item => item.Features.Size(0));
            return item >= 0 && row >= first && row < first + media[item].Features.Size(0);
        }
        Tensor? memory = kind == "cross" ? Ops.Cat([.. media.Select(item => item.Features)]) : null;
        return network.Whole(rows, types, (i, j) => j <= i || Together(i, j), memory, Remembers);
    }
}
