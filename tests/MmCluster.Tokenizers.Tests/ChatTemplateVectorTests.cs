using System.Collections.Immutable;
using System.Text.Json;

namespace MmCluster.Tokenizers.Tests;

/// <summary>Renderings against Python's jinja2 as transformers sets it up; goldens/chat_templates/make_vectors.py made them.</summary>
public sealed class ChatTemplateVectorTests
{
    private static readonly string Folder = Path.Combine(GoldenFolders.Root, "chat_templates");

    private static readonly ImmutableDictionary<string, string> Tokens = new Dictionary<string, string>
    {
        ["bos_token"] = "<s>",
        ["eos_token"] = "</s>",
        ["unk_token"] = "<unk>",
        ["pad_token"] = "<pad>",
    }.ToImmutableDictionary();

    public static TheoryData<string> Templates =>
        [.. Directory.GetFiles(Path.Combine(Folder, "templates")).Select(path => Path.GetFileName(path)).Order()];

    [Theory, MemberData(nameof(Templates))]
    public void Conversations_render_as_jinja_renders_them(string file)
    {
        JsonElement vectors = Read("chats.json");
        var template = ChatTemplate.Parse(File.ReadAllText(Path.Combine(Folder, "templates", file)), file, Tokens);
        int compared = 0;
        foreach (JsonElement vector in vectors.GetProperty("results").EnumerateArray()
            .Where(vector => vector.GetProperty("template").GetString() == file))
        {
            JsonElement conversation = vectors.GetProperty("conversations").GetProperty(vector.GetProperty("conversation").GetString()!);
            var input = new ChatTemplateInput
            {
                Messages = conversation.GetProperty("messages"),
                Tools = conversation.TryGetProperty("tools", out JsonElement tools) ? tools : null,
                AddGenerationPrompt = vector.GetProperty("add_generation_prompt").GetBoolean(),
                Variables = vector.TryGetProperty("variables", out JsonElement variables) ? Members(variables) : [],
                Time = new FixedTime(),
            };
            Compare(vector, () => template.Render(input), $"{file}, {conversation}");
            compared++;
        }
        Assert.True(compared >= 40, $"only {compared} vectors");
    }

    [Fact]
    public void Snippets_render_as_jinja_renders_them()
    {
        ImmutableDictionary<string, JsonElement> variables = Members(Read("variables.json"));
        var input = new ChatTemplateInput
        {
            Messages = variables["messages"],
            Variables = variables.Remove("messages"),
            AddGenerationPrompt = true,
            Time = new FixedTime(),
        };
        var failures = new List<string>();
        foreach (JsonElement vector in Read("snippets.json").EnumerateArray())
        {
            string source = vector.GetProperty("source").GetString()!;
            try
            {
                Compare(vector, () => ChatTemplate.Parse(source, "snippet", Tokens).Render(input), source);
            }
            catch (Exception failure)
            {
                failures.Add(failure.Message);
            }
        }
        Assert.True(failures.Count == 0, string.Join("\n\n", failures));
    }

    private static void Compare(JsonElement vector, Func<RenderedPrompt> render, string what)
    {
        if (vector.TryGetProperty("expected", out JsonElement expected))
        {
            RenderedPrompt prompt = render();
            Assert.True(expected.GetString() == prompt.Text, $"{what}\nexpected: {expected.GetString()}\nactual:   {prompt.Text}");
            Assert.Equal(prompt.Text, string.Concat(prompt.Segments.Select(segment => segment.Text)));
            return;
        }
        Exception? error = Record.Exception(() => render());
        Assert.True(error is ArgumentException or InvalidDataException or NotSupportedException, $"{what}\nexpected an error, got {error?.ToString() ?? "text"}");
        if (vector.GetProperty("error").GetString() == "TemplateError")
        {
            Assert.Equal(vector.GetProperty("message").GetString(), Assert.IsType<ArgumentException>(error).Message);
        }
    }

    private static JsonElement Read(string file)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, file)));
        return document.RootElement.Clone();
    }

    private static ImmutableDictionary<string, JsonElement> Members(JsonElement element) =>
        element.EnumerateObject().ToImmutableDictionary(member => member.Name, member => member.Value);

    private sealed class FixedTime : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => new(2026, 2, 3, 4, 5, 6, TimeSpan.Zero);
    }
}
