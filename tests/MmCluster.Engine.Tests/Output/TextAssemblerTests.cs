using MmCluster.Engine.Output;

namespace MmCluster.Engine.Tests.Output;

public sealed class TextAssemblerTests
{
    [Theory]
    [InlineData("a ST OP b", "STOP", "a ST OP b", false)]
    [InlineData("a ST|OP| b", "STOP", "a ", true)]
    [InlineData("a S|T|O|P b", "STOP", "a ", true)]
    [InlineData("a S|T|x", "STOP", "a STx", false)]
    [InlineData("aaab", "aab", "a", true)]
    [InlineData("a|a|a|b", "aab", "a", true)]
    public void A_stop_string_ends_the_text_wherever_token_borders_lie(string pieces, string stop, string text, bool stopped)
    {
        TextAssembler assembler = new(new PieceDecoder(pieces.Split('|')), [stop], includeStop: false);
        string sent = "";
        bool ended = false;
        for (int token = 0; token < pieces.Split('|').Length && !ended; token++)
        {
            ended = assembler.Push(token, mayStop: true);
            sent += assembler.Take();
        }
        assembler.Finish();
        Assert.Equal((text, stopped), (sent + assembler.Take(), ended));
    }

    [Fact]
    public void Text_that_may_become_a_stop_string_is_held_back()
    {
        TextAssembler assembler = new(new PieceDecoder("ab\n", "\nUser", "s"), ["\n\nUser:"], includeStop: false);
        assembler.Push(0, mayStop: true);
        Assert.Equal("ab", assembler.Take());
        assembler.Push(1, mayStop: true);
        Assert.Equal("", assembler.Take());
        assembler.Push(2, mayStop: true);
        Assert.Equal("\n\nUsers", assembler.Take());
    }

    [Fact]
    public void The_stop_string_is_kept_on_demand_and_nothing_behind_it()
    {
        TextAssembler assembler = new(new PieceDecoder("ab. cd"), ["."], includeStop: true);
        Assert.True(assembler.Push(0, mayStop: true));
        assembler.Finish();
        Assert.Equal("ab.", assembler.Take());
    }

    [Fact]
    public void The_earliest_of_several_stop_strings_counts()
    {
        TextAssembler assembler = new(new PieceDecoder("abcdef"), ["ef", "cd"], includeStop: false);
        Assert.True(assembler.Push(0, mayStop: true));
        Assert.Equal("ab", assembler.Take());
    }

    private sealed class PieceDecoder(params string[] pieces) : ITokenDecoder
    {
        public string Push(int token) => pieces[token];

        public string Finish() => "";
    }
}
