using System.Text;
using System.Text.Json;
using MmCluster.Engine.Simulation;
using MmCluster.Engine.Structured;
using MmCluster.Engine.Tests.Simulation;
using MmCluster.Models;

namespace MmCluster.Engine.Tests.Structured;

public sealed class StructuredOutputTests
{
    private static readonly ByteVocabulary Words = new();

    [Theory]
    [InlineData("a|bc*", "a b bc bccc", "ab c abc")]
    [InlineData("(ab){2,3}", "abab ababab", "ab abababab aba")]
    [InlineData("[^a-c]+x?", "d dx zé", "a dax")]
    [InlineData(@"\d{3}-\w+", "123-ab_9", "12-a 123- 123-é")]
    [InlineData("日.本?", "日x 日é本", "日 x本")]
    [InlineData(@"a\.b\\", @"a.b\", "axb")]
    [InlineData("(?:x|)y{0}z", "z xz", "xyz y")]
    [InlineData("[]x-]+", "] x-]", "a")]
    [InlineData("^a$|^b{,2}$", "a b bb", "ab bbb a|b")]
    [InlineData("{\"a\":[0-9]{1,2}}|x{|{,}", "{\"a\":1} {\"a\":12} x{ {,}", "{\"a\":123} x")]
    [InlineData("(?P<year>[0-9]{2})-(?<month>[0-9])", "12-3", "123 1-3")]
    public void An_expression_matches_what_it_should(string regex, string yes, string no)
    {
        Automaton automaton = new(RegexParser.Parse(regex));
        Assert.All(yes.Split(' '), text => Assert.True(Matches(automaton, text), text));
        Assert.All(no.Split(' '), text => Assert.False(Matches(automaton, text), text));
    }

    [Theory]
    [InlineData("(a")]
    [InlineData("a**|(?=b)")]
    [InlineData(@"(a)\1")]
    [InlineData("a{3,2}")]
    [InlineData("[a")]
    [InlineData("(^a)")]
    [InlineData("a$b")]
    [InlineData("a)")]
    [InlineData("{2}")]
    [InlineData("(?<=a)b")]
    [InlineData("(?<!a)b")]
    [InlineData("(?i)a")]
    [InlineData("a{5000}")]
    [InlineData("((((a{1000}){1000}){1000}){1000})")]
    public void What_is_not_regular_or_too_large_is_refused(string regex) =>
        Assert.Equal(MmErrorCode.InvalidArgument, Assert.Throws<MmException>(() => new Automaton(RegexParser.Parse(regex))).Code);

    [Fact]
    public void All_scalars_of_a_range_and_no_others_pass_as_utf8()
    {
        foreach ((int first, int last) in new[] { (0, 0x7F), (0x41, 0x3000), (0x7F0, 0x810), (0xD000, 0xE010), (0xFFF0, 0x10020), (0x1F600, 0x10FFFF) })
        {
            CharSet set = CharSet.Of((first, last));
            Automaton automaton = new(new Pattern.Char(set));
            for (int scalar = 0; scalar <= 0x10FFFF; scalar += scalar < 0x11000 ? 1 : 97)
            {
                if (Rune.IsValid(scalar))
                {
                    Assert.Equal(scalar >= first && scalar <= last, Matches(automaton, new Rune(scalar).ToString()));
                }
            }
        }
    }

    public static TheoryData<string> Schemas =>
    [
        """{"type":"object","properties":{"name":{"type":"string","maxLength":8},"age":{"type":"integer","minimum":0},"ok":{"type":"boolean"}},"required":["name","age"]}""",
        """{"type":"object","properties":{"a":{"type":"number"},"b":{"type":["string","null"],"maxLength":5}}}""",
        """{"type":"array","items":{"enum":["x","y\"z",3,null]},"minItems":1,"maxItems":4}""",
        """{"$defs":{"p":{"type":"object","properties":{"x":{"type":"number"},"y":{"type":"number"}},"required":["x","y"],"additionalProperties":false}},"type":"array","items":{"$ref":"#/$defs/p"},"maxItems":2}""",
        """{"type":"string","pattern":"^[a-z]{2,4}\\.\"?$"}""",
        """{"anyOf":[{"type":"string","format":"date"},{"type":"integer"}]}""",
        """{"type":"object","additionalProperties":{"type":"boolean"},"maxProperties":2}""",
        """{"type":"integer","minimum":-17,"maximum":1204}""",
        """{"type":"array","items":{"type":"integer","exclusiveMinimum":98,"exclusiveMaximum":102},"minItems":2,"maxItems":3}""",
        """{"type":"integer","maximum":-99.5}""",
        """{"type":"number","minimum":0,"maximum":1}""",
        """{"type":"array","items":{"type":"number","exclusiveMinimum":-1.25,"exclusiveMaximum":0.5},"minItems":3,"maxItems":3}""",
        """{"type":"number","minimum":1234.5,"exclusiveMaximum":1234.75}""",
        """{"type":"number","exclusiveMinimum":5}""",
        """{"type":"number","maximum":-0.001}""",
        """{"type":"integer","enum":[1,"1",2.0,null]}""",
        """{"const":{"é<&>":["\u0001\n\"😀"]}}""",
        """{"type":"object","properties":{"naïve \"key\"":{"type":"null"}},"required":["naïve \"key\"","more"],"additionalProperties":{"type":"boolean"}}""",
        """{"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"v":{"type":"boolean"},"next":{"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}},"required":["v","next"]}}}""",
        """{"type":"object","properties":{"kids":{"type":"array","items":{"$ref":"#"},"maxItems":2}},"required":["kids"]}""",
        """{"allOf":[{"type":"object","properties":{"a":{"type":"number","minimum":2}},"required":["a"]},{"$ref":"#/$defs/b"}],"$defs":{"b":{"properties":{"a":{"type":"integer","maximum":9},"b":{"type":"null"}},"required":["b"]}}}""",
        """{"type":"object","properties":{"a":{"type":"integer","maximum":5,"minimum":4},"b":{"type":"null"}},"anyOf":[{"required":["a"]},{"required":["b"]}]}""",
        """{"type":"array","prefixItems":[{"type":"boolean"},{"type":"null"}],"items":{"type":"integer","minimum":7,"maximum":8},"minItems":3,"maxItems":4}""",
        """{"type":"string","pattern":"^ab$|^c[0-9]$"}""",
    ];

    [Theory, MemberData(nameof(Schemas))]
    public void Random_text_under_a_schema_parses_and_keeps_it(string schema)
    {
        TokenGrammar grammar = Grammars.Compile(new StructuredOutput.JsonSchema(schema), new EngineOptions { Vocabulary = Words }, Words.Count);
        using JsonDocument rules = JsonDocument.Parse(schema);
        Random random = new(1);
        int complete = 0;
        for (int round = 0; round < 40; round++)
        {
            string? text = Draw(grammar, random);
            if (text is not null)
            {
                complete++;
                using JsonDocument value = JsonDocument.Parse(text);
                Assert.True(MiniSchema.Allows(rules.RootElement, rules.RootElement, value.RootElement), text);
            }
        }
        Assert.True(complete >= 10, $"only {complete} texts came to an end");
    }

    [Fact]
    public void Any_json_is_json()
    {
        TokenGrammar grammar = Grammars.Compile(new StructuredOutput.JsonSchema("{}"), new EngineOptions { Vocabulary = Words }, Words.Count);
        Random random = new(2);
        string[] texts = [.. Enumerable.Range(0, 60).Select(_ => Draw(grammar, random)).OfType<string>()];
        Assert.True(texts.Length >= 10, $"only {texts.Length} texts came to an end");
        Assert.All(texts, text => JsonDocument.Parse(text).Dispose());
    }

    [Theory]
    [InlineData("""{"type":"object","properties":{"a":{}},"required":["b"],"additionalProperties":false}""", "'b'")]
    [InlineData("""{"type":"integer","multipleOf":3}""", "multipleOf")]
    [InlineData("""{"$ref":"#"}""", "no value")]
    [InlineData("""{"allOf":[{"$ref":"#"}]}""", "nests deeper")]
    [InlineData("""{"$ref":"#/$defs/a","$defs":{"a":{"type":"object","properties":{"a":{"$ref":"#/$defs/a"}},"required":["a"]}}}""", "no value")]
    [InlineData("""{"type":"integer","minimum":3,"exclusiveMaximum":3}""", "no value")]
    [InlineData("""{"type":"number","minimum":1e40}""", "no value")]
    [InlineData("""{"type":"string","enum":[1,2]}""", "no value")]
    [InlineData("false", "no value")]
    [InlineData("""{"allOf":[{"properties":{"a":{}},"additionalProperties":false},{"properties":{"b":{}}}]}""", "additionalProperties")]
    [InlineData("""{"type":"array","minItems":3,"maxItems":2}""", "maxItems")]
    [InlineData("""{"type":"strin"}""", "strin")]
    [InlineData("[1", "not JSON")]
    [InlineData("""{"type":5}""", "wrong kind")]
    public void What_a_schema_asks_and_cannot_be_kept_is_named(string schema, string named)
    {
        MmException error = Assert.Throws<MmException>(() => JsonSchemaPattern.Build(schema));
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_engine_keeps_to_the_constraint_with_and_without_drafts()
    {
        SimulationProfile profile = new() { VocabularySize = Words.Count, MaxModelLength = 512, BlockCount = 128, MaxSlots = 4 };
        string[] texts = [.. new[] { 0, 3 }.Select(drafts =>
        {
            using EngineDriver driver = new(profile, new EngineOptions
            {
                MaxNumSeqs = 4,
                Vocabulary = Words,
                EosTokenIds = [Words.End],
                SpeculativeTokens = drafts,
                PromptLookupMin = 1,
            });
            for (int i = 0; i < 4; i++)
            {
                driver.Submit(Requests.Of($"r{i}", Requests.Prompt(10, i), 200, sampling => sampling with
                {
                    Structure = new StructuredOutput.Regex("(ab|12){3}(, (true|false)){2}"),
                    Stop = ["zz"],
                }));
            }
            driver.RunToEnd();
            Assert.All(driver.Results.Values, result => Assert.Matches("^(ab|12){3}(, (true|false)){2}$", result.Text));
            Assert.All(driver.Results.Values, result => Assert.Equal(FinishReason.Stop, result.Finish));
            return string.Join('|', driver.Results.OrderBy(result => result.Key).Select(result => result.Value.Text));
        })];
        Assert.Equal(texts[0], texts[1]);
    }

    private static bool Matches(Automaton automaton, string text)
    {
        int state = automaton.Start;
        foreach (byte value in Encoding.UTF8.GetBytes(text))
        {
            state = state == Automaton.Dead ? state : automaton.Next(state, value);
        }
        return state != Automaton.Dead && automaton.IsAccepting(state);
    }

    // Draws allowed tokens until the text ends; null when it grows too long. The end is taken whenever it is allowed and a coin says so.
    private static string? Draw(TokenGrammar grammar, Random random)
    {
        GrammarMatcher matcher = grammar.CreateMatcher([Words.End]);
        List<int> tokens = [];
        while (tokens.Count < 400)
        {
            MmCluster.Engine.Scheduling.PlanList<uint> mask = new();
            matcher.AddMasks(mask, []);
            int[] allowed = [.. Enumerable.Range(0, Words.Count).Where(token => (mask.Span[token / 32] >> (token % 32) & 1) != 0)];
            Assert.NotEmpty(allowed);
            if (allowed.Contains(Words.End) && (random.Next(2) == 0 || allowed.Length == 1))
            {
                return Words.TextOf(tokens);
            }
            // Quotes and brackets are favoured, or strings would never end.
            int[] closing = [.. allowed.Where(token => token is '"' or ']' or '}' or ',')];
            int next = closing.Length > 0 && random.Next(3) == 0 ? closing[random.Next(closing.Length)] : allowed[random.Next(allowed.Length)];
            if (next == Words.End)
            {
                continue;
            }
            tokens.Add(next);
            if (matcher.Advance(next))
            {
                return Words.TextOf(tokens);
            }
        }
        return null;
    }
}
