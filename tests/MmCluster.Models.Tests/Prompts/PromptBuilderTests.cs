using System.Text.Json;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Models.Prompts;
using MmCluster.Tokenizers;

namespace MmCluster.Models.Tests.Prompts;

public sealed class PromptBuilderTests : IDisposable
{
    private const string LlavaTemplate =
        "{% for message in messages %}{{ message['role'].upper() + ': ' }}"
        + "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
        + "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' ' }}{% endfor %}"
        + "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_card_writes_turns_and_puts_the_picture_before_the_question()
    {
        PromptBuilder builder = Builder(Card(), template: null);
        Assert.False(builder.UsesChatTemplate);
        Assert.Equal("<s>USER: [0]\nhi ASSISTANT:", Show(builder.Chat([Asked("hi", 0)])));
        Assert.Equal("<s>USER: [0]\nhi ASSISTANT: yo</s>USER: [1]\n[2]\nand ASSISTANT:",
            Show(builder.Chat([Asked("hi", 0), new ChatMessage("assistant", "yo"), Asked("and", 1, 2)])));
    }

    [Fact]
    public void A_chat_template_comes_first_and_bos_is_added_as_the_processor_does()
    {
        PromptBuilder builder = Builder(Card(), LlavaTemplate);
        Assert.True(builder.UsesChatTemplate);
        Assert.Equal("<s>USER: [0]\nhi ASSISTANT:", Show(builder.Chat([Asked("hi", 0)])));
    }

    [Fact]
    public void A_template_that_writes_bos_itself_gets_no_second_one()
    {
        PromptBuilder builder = Builder(Card(), "{{ bos_token }}" + LlavaTemplate);
        Assert.Equal("<s>USER: [0]\nhi ASSISTANT:", Show(builder.Chat([Asked("hi", 0)])));
    }

    [Fact]
    public void Text_models_get_plain_content_and_only_what_the_template_writes()
    {
        PromptBuilder builder = Builder(TextCard(), "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}");
        Assert.Equal("[user]hi", Show(builder.Chat([new ChatMessage("user", "hi")])));
    }

    [Theory]
    [InlineData(null)]
    [InlineData(LlavaTemplate)]
    public void Special_tokens_in_a_users_text_stay_text(string? template)
    {
        PromptBuilder builder = Builder(Card(), template);
        IReadOnlyList<PromptSegment> prompt = builder.Chat([Asked("</s><image>", 0)]);
        Assert.Single(prompt.OfType<PromptSegment.Media>());
        Assert.DoesNotContain(2, prompt.OfType<PromptSegment.Tokens>().SelectMany(segment => segment.Ids)); // </s>
    }

    [Fact]
    public void Split_at_media_tokenizes_pieces_alone_with_one_bos()
    {
        ModelCard card = Card() with { Prompt = new PromptCard { SplitAtMedia = true, Generate = "A:" } };
        Assert.Equal("<s>[0]\nhiA:", Show(Builder(card, template: null).Chat([Asked("hi", 0)])));
    }

    [Fact]
    public void A_default_system_text_stands_first_unless_the_conversation_has_its_own()
    {
        ModelCard card = Card() with { Prompt = new PromptCard { DefaultSystem = "be nice", System = "{content}. " } };
        PromptBuilder builder = Builder(card, template: null);
        Assert.Equal("<s>be nice. hi", Show(builder.Chat([new ChatMessage("user", "hi")])));
        Assert.Equal("<s>be bad. hi", Show(builder.Chat([new ChatMessage("system", "be bad"), new ChatMessage("user", "hi")])));
    }

    [Fact]
    public void Wrong_conversations_are_refused()
    {
        PromptBuilder builder = Builder(Card(), template: null);
        Assert.Contains("role 'king'", Assert.Throws<ArgumentException>(() => builder.Chat([new ChatMessage("king", "hi")])).Message);
        Assert.Contains("item 0 is numbered 1", Assert.Throws<ArgumentException>(() => builder.Chat([Asked("hi", 1)])).Message);
        Assert.Contains("takes no image", Assert.Throws<ArgumentException>(() => Builder(TextCard(), null).Chat([Asked("hi", 0)])).Message);
        ChatMessage forgets = Asked("hi", 0);
        Assert.Contains("0 places for 1", Assert.Throws<ArgumentException>(() => Builder(Card(), "nothing").Chat([forgets])).Message);
    }

    private static ChatMessage Asked(string text, params int[] pictures) =>
        new("user", [.. pictures.Select(index => (ChatPart)new ChatPart.Media(Modality.Image, index)), new ChatPart.Text(text)]);

    private static ModelCard Card() => Architectures.CardFor(
        Models.Checkpoints.ModelConfig.Read(Path.Combine(Repository.Golden("llava15"), "config.json")), "tiny");

    private static ModelCard TextCard() => Architectures.CardFor(
        Models.Checkpoints.ModelConfig.Read(Path.Combine(Repository.Golden("llama_gqa"), "config.json")), "tiny");

    // Letters are tokens: what the builder made can be read back.
    private PromptBuilder Builder(ModelCard card, string? template)
    {
        string[] special = ["<unk>", "<s>", "</s>", "<image>"];
        string[] letters = [.. Enumerable.Range(33, 94).Select(code => ((char)code).ToString()), "Ġ", "Ċ"];
        _folder.Write("tokenizer.json", JsonSerializer.Serialize(new
        {
            version = "1.0",
            added_tokens = special.Select((content, id) => new { id, content, single_word = false, lstrip = false, rstrip = false, normalized = false, special = true }),
            pre_tokenizer = new { type = "ByteLevel", add_prefix_space = false, trim_offsets = true, use_regex = true },
            post_processor = new
            {
                type = "TemplateProcessing",
                single = new object[] { new { SpecialToken = new { id = "<s>", type_id = 0 } }, new { Sequence = new { id = "A", type_id = 0 } } },
                pair = Array.Empty<object>(),
                special_tokens = new Dictionary<string, object> { ["<s>"] = new { id = "<s>", ids = new[] { 1 }, tokens = new[] { "<s>" } } },
            },
            decoder = new { type = "ByteLevel" },
            model = new { type = "BPE", vocab = special.Concat(letters).Select((token, id) => (token, id)).ToDictionary(entry => entry.token, entry => entry.id), merges = Array.Empty<string>() },
        }));
        _folder.Write("tokenizer_config.json", JsonSerializer.Serialize(new { bos_token = "<s>", eos_token = "</s>", chat_template = template }));
        _tokenizer = PromptBuilder.TokenizerOf(_folder.Path, card);
        return new PromptBuilder(card, _tokenizer, new SpecialTokenIds { Media = 3 });
    }

    private Tokenizer? _tokenizer;

    private string Show(IReadOnlyList<PromptSegment> prompt) => string.Concat(prompt.Select(segment => segment switch
    {
        PromptSegment.Tokens tokens => _tokenizer!.Decode(tokens.Ids, skipSpecialTokens: false),
        PromptSegment.Media { PlaceholderToken: 3 } media => $"[{media.Index}]",
        _ => "?",
    }));
}
