using System.Text.Json;
using MmCluster.Engine.Hosting;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Engine.Tests.Kinds;

/// <summary>What transformers' generate() makes of its options (tests/goldens/generation), through the engine: ends, least lengths, penalties, biases.</summary>
public sealed class GenerationOptionTests
{
    private static readonly string Folder = RepositoryRoot.Path("tests/goldens/generation");

    // Those of the reference's options that an engine request has.
    private static readonly string[] Known = ["eos_token_id", "min_new_tokens", "min_length", "repetition_penalty", "sequence_bias"];

    [Fact]
    public async Task Options_mean_what_they_mean_to_the_reference()
    {
        await using LocalModel model = LocalModel.Load(Folder, new LocalModelOptions { Load = new LoadOptions { Backbone = DType.F32 } });
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "generations.json")));
        int prompt = document.RootElement.GetProperty("prompt").GetInt32();
        int compared = 0;
        foreach (JsonElement run in document.RootElement.GetProperty("runs").EnumerateArray())
        {
            JsonElement options = run.GetProperty("options");
            if (options.EnumerateObject().All(option => Known.Contains(option.Name)))
            {
                int[] ids = Ints(run.GetProperty("ids"));
                int[] answer = await AnswerAsync(model, ids[..prompt], options);
                Assert.Equal($"{options}: {string.Join(' ', ids[prompt..])}", $"{options}: {string.Join(' ', answer)}");
                compared++;
            }
        }
        Assert.InRange(compared, 8, int.MaxValue);
    }

    private static async Task<int[]> AnswerAsync(LocalModel model, int[] prompt, JsonElement options)
    {
        ModelRequest request = new()
        {
            Input = new ModelInput.Tokens(prompt),
            Sampling = new SamplingParameters
            {
                Temperature = 0,
                MaxTokens = 30,
                IgnoreEos = true, // the options say what ends
                StopTokenIds = options.TryGetProperty("eos_token_id", out JsonElement ends) ? Ints(ends) : [],
                MinTokens = options.TryGetProperty("min_new_tokens", out JsonElement least) ? least.GetInt32()
                    : options.TryGetProperty("min_length", out JsonElement all) ? all.GetInt32() - prompt.Length : 0,
                RepetitionPenalty = options.TryGetProperty("repetition_penalty", out JsonElement penalty) ? penalty.GetSingle() : 1,
                LogitBias = options.TryGetProperty("sequence_bias", out JsonElement biases)
                    ? biases.EnumerateArray().ToDictionary(bias => bias[0][0].GetInt32(), bias => bias[1].GetSingle()) : null,
            },
        };
        List<int> ids = [];
        await foreach (SequenceOutput output in model.GenerateAsync(request, TestContext.Current.CancellationToken))
        {
            ids.AddRange(output.Error is { } error ? throw error : output.TokenIds.Span);
        }
        return [.. ids];
    }

    private static int[] Ints(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => [.. value.EnumerateArray().Select(item => item.GetInt32())],
        JsonValueKind.Number => [value.GetInt32()],
        _ => [],
    };
}
