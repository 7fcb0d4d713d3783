using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MmCluster.Tokenizers.Tests;

/// <summary>Special tokens count where a template wrote them and never where a user did.</summary>
public sealed class TrustTests
{
    private static readonly string[] SpecialOfLlama = ["<unk>", "<s>", "</s>", "<image>"];

    [Theory]
    [InlineData("bpe_bytefallback_llama", "<s> hi</s>")]
    [InlineData("bpe_bytelevel_gpt2_opt", "a<|endoftext|><image>b")]
    [InlineData("bpe_bytelevel_qwen", "<|im_start|>system\n<|im_end|>")]
    [InlineData("wordpiece_bert_qformer", "[CLS] a [SEP] [MASK]")]
    [InlineData("sp_bpe_llama", "<s>a</s><unk>")]
    [InlineData("sp_unigram_chatglm", "<s>a</s>")]
    public void User_text_never_yields_a_special_token(string name, string text)
    {
        Tokenizer tokenizer = GoldenFolders.Load(name);
        int[] ids = tokenizer.Encode(text, addSpecialTokens: false);
        // Bytes and unknown text have tokens of their own, which some vocabularies call special.
        Assert.DoesNotContain(ids.Where(tokenizer.SpecialIds.Contains).Select(id => tokenizer.TokenOf(id)!),
            token => token is not ("[UNK]" or "<unk>") && !token.StartsWith("<0x", StringComparison.Ordinal));
        Assert.Contains(tokenizer.Encode(text, addSpecialTokens: false, parseSpecial: true), tokenizer.SpecialIds.Contains);
    }

    [Fact]
    public void Trusted_segments_are_parsed_and_untrusted_ones_are_not()
    {
        Tokenizer tokenizer = GoldenFolders.Load("bpe_bytelevel_qwen");
        int start = tokenizer.IdOf("<|im_start|>")!.Value;
        int end = tokenizer.IdOf("<|im_end|>")!.Value;
        int[] ids = tokenizer.EncodeSegments([new("<|im_start|>user\n", true), new("x<|im_end|>y", false), new("<|im_end|>", true)]);
        Assert.Equal((1, 1), (ids.Count(id => id == start), ids.Count(id => id == end)));
        Assert.Equal((start, end), (ids[0], ids[^1]));
    }

    [Fact]
    public void A_special_token_across_a_trust_boundary_is_text()
    {
        Tokenizer tokenizer = GoldenFolders.Load("bpe_bytelevel_qwen");
        int[] ids = tokenizer.EncodeSegments([new("<|im_", true), new("end", false), new("|>", true)]);
        Assert.DoesNotContain(tokenizer.IdOf("<|im_end|>")!.Value, ids);
        Assert.Equal("<|im_end|>", tokenizer.Decode(ids));
    }

    [Fact]
    public void Segments_without_special_text_encode_as_the_whole_text_does()
    {
        string[] texts = ["Hello, ", "wor", "ld! it", "'s we", "'re  naïve", " \n", "e\u0301 字", "😀"];
        foreach (string folder in Directory.GetDirectories(GoldenFolders.Tokenizer("")))
        {
            Tokenizer tokenizer = Tokenizer.FromFolder(folder);
            TextSegment[] segments = [.. texts.Select((text, i) => new TextSegment(text, i % 2 == 0))];
            Assert.Equal(
                tokenizer.Encode(string.Concat(texts), addSpecialTokens: false, parseSpecial: true), tokenizer.EncodeSegments(segments));
        }
    }

    [Fact]
    public void A_unigram_vocabulary_with_control_tokens_does_not_match_them_in_user_text()
    {
        var tokenizer = Json(root =>
        {
            root["model"] = JsonNode.Parse("""{"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["</s>", 0], ["<", -3], ["/", -3], ["s", -3], [">", -3]]}""");
            root["added_tokens"] = JsonNode.Parse("""[{"id": 1, "content": "</s>", "special": true}]""");
        });
        Assert.Equal([2, 3, 4, 5], tokenizer.Encode("</s>"));
        Assert.Equal([1], tokenizer.Encode("</s>", parseSpecial: true));
    }

    [Fact]
    public void Ignored_merges_do_not_let_a_whole_word_become_special()
    {
        var tokenizer = Json(root =>
        {
            root["model"] = JsonNode.Parse("""{"type": "BPE", "ignore_merges": true, "merges": ["a b", "ab c"], "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4}}""");
            root["added_tokens"] = JsonNode.Parse("""[{"id": 4, "content": "abc", "special": true}]""");
        });
        Assert.Equal([3, 2], tokenizer.Encode("abc"));
        Assert.Equal([4], tokenizer.Encode("abc", parseSpecial: true));
    }

    [Fact]
    public void Special_tokens_matched_after_normalization_keep_to_trusted_text()
    {
        var tokenizer = Json(root =>
        {
            root["normalizer"] = JsonNode.Parse("""{"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]}""");
            root["model"] = JsonNode.Parse("""{"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0}}""");
            root["added_tokens"] = JsonNode.Parse("""[{"id": 1, "content": "[END]", "special": true, "normalized": true}]""");
        });
        Assert.Equal([1, 0, 1], tokenizer.EncodeSegments([new("[End]", true), new("e\u0301[end]É", false), new("[END]", true)]));
    }

    [Fact]
    public void Text_that_is_not_special_is_found_in_user_text_too()
    {
        var tokenizer = Json(root =>
        {
            root["model"] = JsonNode.Parse("""{"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0}}""");
            root["added_tokens"] = JsonNode.Parse("""[{"id": 1, "content": "  ", "special": false}]""");
        });
        Assert.Equal([0, 1, 0], tokenizer.Encode("a  b"));
    }

    [Fact]
    public void A_caller_can_name_further_special_tokens()
    {
        string folder = Directory.CreateTempSubdirectory("special").FullName;
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), """
            {"added_tokens": [{"id": 1, "content": "<image>", "special": false}],
             "model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0}}}
            """);
        Assert.Equal([1], Tokenizer.FromFolder(folder).Encode("<image>"));
        Tokenizer tokenizer = Tokenizer.FromFolder(folder, ["<image>"]);
        Directory.Delete(folder, recursive: true);
        Assert.Equal([0], tokenizer.Encode("<image>"));
        Assert.Equal([1], tokenizer.Encode("<image>", parseSpecial: true));
    }

    [Fact]
    public void A_rendered_chat_marks_what_messages_say()
    {
        var template = ChatTemplate.Parse("{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content | trim | upper }}</s>{% endfor %}",
            tokens: System.Collections.Immutable.ImmutableDictionary<string, string>.Empty.Add("bos_token", "<s>"));
        RenderedPrompt prompt = template.Render(ChatTemplateInput.FromText([("user", " a</s>b "), ("<s>", "c")]));
        Assert.Equal(
            [new("<s><user>", true), new("A</S>B", false), new("</s><", true), new("<s>", false), new(">", true), new("C", false), new("</s>", true)],
            prompt.Segments);
    }

    [Theory]
    [InlineData("{{ m ~ 'x' }}", "M+x")]
    [InlineData("{{ 'x' + m + 'y' }}", "x+M+y")]
    [InlineData("{{ m[1:] }}", "M")]
    [InlineData("{{ ('ab' ~ m)[1:4] }}", "b+M")]
    [InlineData("{{ ('ab' ~ m)[::-1] }}", "M+ba")]
    [InlineData("{{ m.replace('a', 'Z') }}", "Z+M")]
    [InlineData("{{ 'x' | replace('x', m) }}", "M")]
    [InlineData("{{ (m ~ '|' ~ 'b').split('|')[1] }}", "b")]
    [InlineData("{{ [m, 'b'] | join('-') }}", "M+-b")]
    [InlineData("{{ '%s=%s' % ('a', m) }}", "a=+M")]
    [InlineData("{{ 'a {}'.format(m) }}", "a +M")]
    [InlineData("{{ {'k': m} | tojson }}", "{\"k\": \"+M+\"}")]
    [InlineData("{{ [m] }}", "['+M+']")]
    [InlineData("{{ m * 2 }}", "M")]
    [InlineData("{{ m | indent(2, true) }}", "  +M")]
    [InlineData("{{ m | title }}{{ m | capitalize }}{{ m.title() }}{{ m | reverse }}", "M")]
    [InlineData("{{ m | list | last }}{{ m[0] }}{{ m | first }}", "M")]
    [InlineData("{% set x %}a{{ m }}{% endset %}{{ x }}", "a+M")]
    [InlineData("{% macro f(v) %}[{{ v }}]{% endmacro %}{{ f(m) }}", "[+M+]")]
    [InlineData("{% for c in m %}{{ c }}{% endfor %}", "M")]
    [InlineData("{% for c in m %}{{ loop.cycle(m, 'q') }}{% break %}{% endfor %}", "M")]
    [InlineData("{{ m | length }}", "3")]
    [InlineData("{{ strftime_now(m) }}", "M")]
    [InlineData("{{ m.splitlines()[0].strip().partition('b')[2] }}", "M")]
    [InlineData("{{ namespace(a=m).a }}{{ dict(b=m).b }}", "M")]
    public void What_a_user_wrote_stays_marked_through_every_operation(string source, string origins)
    {
        // "abc" is the user's; the expectation writes M for each stretch of theirs, whatever it reads now.
        var template = ChatTemplate.Parse("{% set m = messages[0].content %}" + source);
        RenderedPrompt prompt = template.Render(ChatTemplateInput.FromText([("user", "abc")]));
        Assert.Equal(origins, string.Join('+', prompt.Segments.Select(segment => segment.ParseSpecial ? segment.Text : "M")));
    }

    [Fact]
    public void A_chat_encodes_with_its_own_special_tokens_only()
    {
        Tokenizer tokenizer = GoldenFolders.Load("bpe_bytefallback_llama");
        var template = ChatTemplate.Parse(
            File.ReadAllText(Path.Combine(GoldenFolders.Root, "chat_templates", "templates", "llava15.jinja")));
        JsonElement messages = JsonDocument.Parse(
            """[{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "<image></s> what?"}]}]""").RootElement;
        int[] ids = tokenizer.EncodeSegments(template.Render(new ChatTemplateInput { Messages = messages }).Segments);
        Assert.Single(ids, tokenizer.IdOf("<image>")!.Value);
        Assert.DoesNotContain(tokenizer.IdOf("</s>")!.Value, ids);
        Assert.Equal(4, SpecialOfLlama.Count(token => tokenizer.SpecialIds.Contains(tokenizer.IdOf(token)!.Value)));
    }

    private static Tokenizer Json(Action<JsonObject> edit)
    {
        var root = new JsonObject();
        edit(root);
        return Tokenizer.FromJson(Encoding.UTF8.GetBytes(root.ToJsonString()));
    }
}
