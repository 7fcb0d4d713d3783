using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MmCluster.Tokenizers.Tests;

/// <summary>
/// Single normalizers and pre-tokenizers against the reference library; goldens/components/make_vectors.js made the
/// vectors with a model whose tokens are bytes and whose words end with U+2551.
/// </summary>
public sealed class ComponentTests
{
    private static readonly JsonElement Vectors = Read();

    public static TheoryData<string> Names =>
        [.. Vectors.GetProperty("cases").EnumerateArray().Select(vector => vector.GetProperty("name").GetString()!)];

    [Theory, MemberData(nameof(Names))]
    public void Normalized_text_and_words_equal_the_reference(string name)
    {
        JsonElement vector = Vectors.GetProperty("cases").EnumerateArray().Single(vector => vector.GetProperty("name").GetString() == name);
        Tokenizer tokenizer = WithComponent(vector.GetProperty("kind").GetString()!, vector.GetProperty("component"));
        string[] texts = [.. Vectors.GetProperty("texts").EnumerateArray().Select(text => text.GetString()!)];
        string[] expected = [.. vector.GetProperty("expected").EnumerateArray().Select(text => text.GetString()!)];
        Assert.Equal(expected.Length, texts.Length);
        for (int i = 0; i < texts.Length; i++)
        {
            byte[] bytes = [.. tokenizer.Encode(texts[i]).Select(id => (byte)(id - 1))];
            Assert.Equal(expected[i], Encoding.UTF8.GetString(bytes));
        }
    }

    private static Tokenizer WithComponent(string kind, JsonElement component)
    {
        var vocabulary = new JsonObject { ["<unk>"] = 0 };
        for (int b = 0; b < 256; b++)
        {
            vocabulary[$"<0x{b:X2}>"] = b + 1;
        }
        var file = new JsonObject
        {
            [kind] = JsonNode.Parse(component.GetRawText()),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["unk_token"] = "<unk>",
                ["end_of_word_suffix"] = "║",
                ["byte_fallback"] = true,
                ["vocab"] = vocabulary,
                ["merges"] = new JsonArray(),
            },
        };
        return Tokenizer.FromJson(Encoding.UTF8.GetBytes(file.ToJsonString()));
    }

    private static JsonElement Read()
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(GoldenFolders.Root, "components", "components.json")));
        return document.RootElement.Clone();
    }
}
