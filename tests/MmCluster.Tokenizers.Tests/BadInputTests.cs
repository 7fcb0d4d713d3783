using System.Diagnostics;
using System.Text;

namespace MmCluster.Tokenizers.Tests;

/// <summary>Files from outside fail with the documented exceptions and nothing else, and in bounded time.</summary>
public sealed class BadInputTests
{
    private static bool IsDocumented(Exception error) =>
        error.GetType() == typeof(InvalidDataException) || error.GetType() == typeof(NotSupportedException) || error.GetType() == typeof(ArgumentException);

    [Theory]
    [InlineData("bpe_bytefallback_llama")]
    [InlineData("bpe_bytelevel_qwen")]
    [InlineData("bpe_clip_text")]
    [InlineData("wordpiece_bert_qformer")]
    public void A_damaged_tokenizer_json_loads_or_fails_cleanly(string name)
    {
        byte[] whole = File.ReadAllBytes(Path.Combine(GoldenFolders.Tokenizer(name), "tokenizer.json"));
        Damage(whole, 60, data => Tokenizer.FromJson(data).Encode("Hello 字 <s>", parseSpecial: true));
    }

    [Theory]
    [InlineData("sp_bpe_llama")]
    [InlineData("sp_unigram_t5")]
    public void A_damaged_model_file_loads_or_fails_cleanly(string name)
    {
        byte[] whole = File.ReadAllBytes(Path.Combine(GoldenFolders.Tokenizer(name), "tokenizer.model"));
        Damage(whole, 200, data =>
        {
            Tokenizer tokenizer = Tokenizer.FromSentencePiece(data);
            tokenizer.Decode(tokenizer.Encode("Hello ｱ字 <s> ½"));
        });
    }

    [Fact]
    public void Random_bytes_fail_cleanly()
    {
        var random = new Random(5);
        for (int i = 0; i < 500; i++)
        {
            byte[] data = new byte[random.Next(0, 200)];
            random.NextBytes(data);
            AssertClean(() => Tokenizer.FromJson(data));
            AssertClean(() => Tokenizer.FromSentencePiece(data));
        }
    }

    [Fact]
    public void Random_templates_fail_cleanly()
    {
        string[] parts =
        [
            "{{", "}}", "{%", "%}", "{#", "#}", " if ", " for ", " in ", "x", "messages", "[", "]", "(", ")", "|", "~", "'a'", "\"", "set ",
            "endif", "endfor", "else", " is ", "not ", "defined", "=", "==", ".", ",", "1", "-", "+", "*", "**", "//", "%", " loop", ":", "\n", "{%-",
            "-%}", "join", "raw", "endraw", "macro f()", "endmacro", "namespace(a=1)", "range(9)", "😀", "\\", "{", "}", "tojson", "None", "1.5",
        ];
        var random = new Random(6);
        for (int i = 0; i < 5000; i++)
        {
            string source = string.Concat(Enumerable.Range(0, random.Next(1, 15)).Select(_ => parts[random.Next(parts.Length)]));
            AssertClean(() => ChatTemplate.Parse(source).Render(ChatTemplateInput.FromText([("user", "hi")])));
        }
    }

    [Theory]
    [InlineData("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "steps")]
    [InlineData("{% set ns = namespace(s='aaaaaaaaaaaaaaaa') %}{% for a in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}", "text")]
    [InlineData("{{ 'x' * 1000000000000 }}", "steps")]
    [InlineData("{{ 'x'.ljust(100000000000) }}", "text")]
    [InlineData("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "deeper")]
    [InlineData("{{ range(1000000) }}", "Range too big")]
    [InlineData("{{ [1] * 100000000000 }}", "steps")]
    [InlineData("{{ 9223372036854775807 + 1 }}", "64 bits")]
    [InlineData("{{ 10 ** 100 }}", "64 bits")]
    public void A_template_that_goes_too_far_is_stopped(string source, string why)
    {
        var error = Assert.Throws<InvalidDataException>(() => ChatTemplate.Parse(source).Render(ChatTemplateInput.FromText([])));
        Assert.Contains(why, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("(", ")")]
    [InlineData("[", "]")]
    [InlineData("not ", "")]
    [InlineData("-", "")]
    [InlineData("{1:", "}")]
    [InlineData("1 if 1 else ", "")]
    [InlineData("x[", "]")]
    public void Deep_nesting_is_refused(string open, string close)
    {
        string source = "{{ " + string.Concat(Enumerable.Repeat(open, 5000)) + "1" + string.Concat(Enumerable.Repeat(close, 5000)) + " }}";
        AssertClean(() => ChatTemplate.Parse(source));
        string blocks = string.Concat(Enumerable.Repeat("{% if 1 %}", 5000));
        Assert.Throws<InvalidDataException>(() => ChatTemplate.Parse(blocks));
    }

    [Theory]
    [InlineData("a\n{% nosuch x %}", "line 2", "'nosuch'")]
    [InlineData("\n\n{{ x | nosuch }}", "line 3", "'nosuch'")]
    [InlineData("{{ x is nosuch }}", "line 1", "'nosuch'")]
    [InlineData("{% for x in y recursive %}{% endfor %}", "line 1", "'recursive'")]
    [InlineData("{% include 'x' %}", "line 1", "'include'")]
    [InlineData("{{ f(*x) }}", "line 1", "'*'")]
    public void An_unknown_construct_is_named_with_its_line(string source, string line, string word)
    {
        var error = Assert.Throws<NotSupportedException>(() => ChatTemplate.Parse(source));
        Assert.Contains(line, error.Message, StringComparison.Ordinal);
        Assert.Contains(word, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"model": {"type": "Nope"}}""", "'Nope'")]
    [InlineData("""{"normalizer": {"type": "Rot13"}, "model": {"type": "WordLevel", "vocab": {}}}""", "'Rot13'")]
    [InlineData("""{"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Odd"}]}, "model": {"type": "WordLevel", "vocab": {}}}""", "'Odd'")]
    [InlineData("""{"decoder": {"type": "Odd"}, "model": {"type": "WordLevel", "vocab": {}}}""", "'Odd'")]
    [InlineData("""{"post_processor": {"type": "Odd"}, "model": {"type": "WordLevel", "vocab": {}}}""", "'Odd'")]
    [InlineData("""{"pre_tokenizer": {"type": "Split", "behavior": "Isolated", "pattern": {"Regex": "(?<n>a)"}}, "model": {"type": "WordLevel", "vocab": {}}}""", "named group")]
    public void An_unknown_component_is_named(string json, string name)
    {
        var error = Assert.Throws<NotSupportedException>(() => Tokenizer.FromJson(Encoding.UTF8.GetBytes(json)));
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
        Assert.StartsWith("tokenizer.json", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}}""", "'b'")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {"a": 99999999}, "merges": []}}""", "99999999")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}}""", "-1")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {"a": "x"}, "merges": []}}""", "integer")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {"\ud800": 0}, "merges": []}}""", "surrogate")]
    [InlineData("""{"model": {"type": "Unigram", "vocab": [["a", 1]], "unk_id": 7}}""", "unk_id 7")]
    [InlineData("[]", "object")]
    [InlineData("{", "not JSON")]
    public void Broken_content_is_named(string json, string what)
    {
        var error = Assert.Throws<InvalidDataException>(() => Tokenizer.FromJson(Encoding.UTF8.GetBytes(json)));
        Assert.Contains(what, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_tokenizer_names_the_missing_files()
    {
        string folder = Directory.CreateTempSubdirectory("empty").FullName;
        var error = Assert.Throws<FileNotFoundException>(() => Tokenizer.FromFolder(folder));
        Directory.Delete(folder);
        Assert.Contains("tokenizer.json", error.Message, StringComparison.Ordinal);
        Assert.Contains("tokenizer.model", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("bpe_bytefallback_llama")]
    [InlineData("bpe_bytelevel_qwen")]
    [InlineData("bpe_clip_text")]
    [InlineData("wordpiece_bert_qformer")]
    [InlineData("sp_bpe_llama")]
    [InlineData("sp_unigram_chatglm")]
    public void A_long_run_of_one_character_takes_no_more_than_a_long_text(string name)
    {
        Tokenizer tokenizer = GoldenFolders.Load(name);
        // A quadratic step would take minutes here; the bound only separates the two.
        var watch = Stopwatch.StartNew();
        foreach (string character in new[] { "a", " ", "<", "\n", "字", "e\u0301" })
        {
            string text = string.Concat(Enumerable.Repeat(character, 200_000 / character.Length));
            int[] ids = tokenizer.Encode(text);
            Assert.True(ids.Length <= 4 * text.Length + 2);
        }
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(60), $"{watch.Elapsed}");
    }

    [Fact]
    public void Lone_surrogates_and_noncharacters_encode_as_something()
    {
        foreach (string folder in Directory.GetDirectories(GoldenFolders.Tokenizer("")))
        {
            Tokenizer tokenizer = Tokenizer.FromFolder(folder);
            Assert.Equal(tokenizer.Encode("a\uFFFDb\uFFFD"), tokenizer.Encode("a\uD83Db\uDE00"));
            tokenizer.Encode("\uFFFE\uFFFF\u0000e\u0301\uFFFE");
        }
    }

    private static void Damage(byte[] whole, int rounds, Action<byte[]> use)
    {
        var random = new Random(4);
        for (int i = 0; i < rounds; i++)
        {
            byte[] data = i % 4 == 0 ? whole[..random.Next(whole.Length)] : (byte[])whole.Clone();
            for (int flips = random.Next(1, 8); flips > 0 && data.Length > 0; flips--)
            {
                // Structure stands at the beginning and the end more than in the long lists between.
                int at = i % 2 == 0 ? random.Next(Math.Min(data.Length, 3000)) : random.Next(data.Length);
                data[at] = i % 3 == 0 ? (byte)"{}[]\",:0-tfn"[random.Next(12)] : (byte)random.Next(256);
            }
            AssertClean(() => use(data));
        }
    }

    private static void AssertClean(Action action)
    {
        Exception? error = Record.Exception(action);
        Assert.True(error is null || IsDocumented(error), error?.ToString());
    }
}
