using System.Text.Json;
using MmCluster.Engine.Hosting;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Engine.Tests.Hosting;

/// <summary>The shipped model against transformers' greedy answers (tests/goldens/mini), through the same picture files.</summary>
public sealed class MiniReferenceTests
{
    [Fact]
    public async Task The_shipped_model_answers_as_transformers_does()
    {
        string root = RepositoryRoot.Path("");
        string goldens = Path.Combine(root, "tests/goldens/mini");
        using JsonDocument reference = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(goldens, "cases.json"), Stop));
        LocalModelOptions options = new() { Load = new LoadOptions { Backbone = DType.F32 } };
        await using LocalModel model = LocalModel.Load(Path.Combine(root, "models/mini"), options);
        List<string> wrong = [];
        int cases = 0;
        foreach (JsonElement item in reference.RootElement.GetProperty("cases").EnumerateArray())
        {
            cases++;
            (List<int> ids, string text) = await AnswerAsync(model, goldens, item);
            int[] expected = [.. item.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
            // The engine may keep the token that ended the answer to itself.
            if (!ids.SequenceEqual(expected) && !ids.SequenceEqual(expected[..^1]))
            {
                wrong.Add($"{item.GetProperty("file")} {item.GetProperty("prompt")}: '{text}' is not '{item.GetProperty("answer")}'");
            }
        }
        Assert.Equal(112, cases);
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static async Task<(List<int> Ids, string Text)> AnswerAsync(LocalModel model, string folder, JsonElement item)
    {
        List<ChatTurn> turns = [];
        foreach (JsonElement turn in item.GetProperty("turns").EnumerateArray())
        {
            List<ChatPart> parts = [new ChatPart.Text(turn.GetProperty("text").GetString()!)];
            if (turns.Count == 0 && item.GetProperty("file").GetString() is { } file)
            {
                byte[] bytes = await File.ReadAllBytesAsync(Path.Combine(folder, file), Stop);
                parts.Insert(0, new ChatPart.Media(new MediaItem(Modality.Image, bytes, file)));
            }
            turns.Add(new ChatTurn(turn.GetProperty("role").GetString()!, parts));
        }
        ModelRequest request = new()
        {
            Input = new ModelInput.Chat(turns),
            Sampling = new SamplingParameters { MaxTokens = 80, Temperature = 0 },
        };
        List<int> ids = [];
        string text = "";
        await foreach (SequenceOutput output in model.GenerateAsync(request, Stop))
        {
            Assert.Null(output.Error);
            ids.AddRange(output.TokenIds.Span);
            text += output.Text;
        }
        return (ids, text);
    }
}
