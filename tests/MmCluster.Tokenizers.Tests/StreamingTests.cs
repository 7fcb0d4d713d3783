using System.Text;

namespace MmCluster.Tokenizers.Tests;

/// <summary>Decoding id by id.</summary>
public sealed class StreamingTests
{
    public static TheoryData<string> Names => VectorTests.Names;

    [Theory, MemberData(nameof(Names))]
    public void Pieces_of_random_ids_join_to_the_whole_text(string name)
    {
        Tokenizer tokenizer = GoldenFolders.Load(name);
        var random = new Random(17);
        for (int round = 0; round < 300; round++)
        {
            int[] ids = [.. Enumerable.Range(0, random.Next(0, 20)).Select(_ => random.Next(random.Next(2) == 0 ? 300 : tokenizer.VocabularySize + 5))];
            bool skip = round % 2 == 0;
            StreamingDecoder decoder = tokenizer.CreateDecoder(skip);
            string[] pieces = [.. ids.Select(decoder.Append), decoder.Finish()];
            Assert.Equal(tokenizer.Decode(ids, skip), string.Concat(pieces));
            Assert.All(pieces, piece => Assert.True(IsWellFormed(piece), $"half a character in {piece}"));
        }
    }

    [Fact]
    public void A_character_comes_when_its_last_byte_has_come()
    {
        Tokenizer tokenizer = GoldenFolders.Load("sp_bpe_llama");
        StreamingDecoder decoder = tokenizer.CreateDecoder();
        int[] ids = [.. Encoding.UTF8.GetBytes("😀").Select(b => tokenizer.IdOf($"<0x{b:X2}>")!.Value)];
        Assert.Equal(["", "", "", "😀"], ids.Select(decoder.Append));
        Assert.Equal("", decoder.Finish());
    }

    [Fact]
    public void An_unfinished_character_comes_at_the_end_as_a_replacement()
    {
        Tokenizer tokenizer = GoldenFolders.Load("bpe_bytelevel_qwen");
        StreamingDecoder decoder = tokenizer.CreateDecoder();
        int half = tokenizer.IdOf("ð")!.Value;
        Assert.Equal("", decoder.Append(half));
        Assert.Equal("\uFFFD", decoder.Finish());
        Assert.Throws<ObjectDisposedException>(() => decoder.Append(half));
    }

    [Fact]
    public void Text_of_byte_tokens_streams_before_their_run_ends()
    {
        Tokenizer tokenizer = GoldenFolders.Load("bpe_bytefallback_llama");
        StreamingDecoder decoder = tokenizer.CreateDecoder(skipSpecialTokens: false);
        string text = string.Concat(Encoding.UTF8.GetBytes("aé").Select(b => decoder.Append(tokenizer.IdOf($"<0x{b:X2}>")!.Value)));
        Assert.Equal("aé", text);
    }

    [Fact]
    public void Ids_without_token_decode_to_nothing()
    {
        foreach (string folder in Directory.GetDirectories(GoldenFolders.Tokenizer("")))
        {
            Tokenizer tokenizer = Tokenizer.FromFolder(folder);
            Assert.Equal("", tokenizer.Decode([-1, int.MinValue, int.MaxValue, tokenizer.VocabularySize]));
            Assert.Null(tokenizer.TokenOf(-1));
            Assert.Null(tokenizer.IdOf("no such token"));
        }
    }

    private static bool IsWellFormed(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i++;
            }
            else if (char.IsSurrogate(text[i]))
            {
                return false;
            }
        }
        return true;
    }
}
