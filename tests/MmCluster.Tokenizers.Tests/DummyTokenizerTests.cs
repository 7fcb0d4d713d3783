namespace MmCluster.Tokenizers.Tests;

public sealed class DummyTokenizerTests
{
    private static readonly Dictionary<int, string> Special = new() { [1] = "<s>", [2] = "</s>", [32_000] = "<image>" };

    [Fact]
    public void Text_survives_and_every_id_has_a_text()
    {
        Tokenizer tokenizer = DummyTokenizer.Create(32_064, Special, "<s>", "</s>");
        const string Text = "Grüße, 世界!\n";
        int[] ids = tokenizer.Encode(Text);
        Assert.Equal(1, ids[0]);
        Assert.Equal(1 + System.Text.Encoding.UTF8.GetByteCount(Text), ids.Length);
        Assert.Equal(Text, tokenizer.Decode(ids));
        Assert.Equal((32_064, 1, 2), (tokenizer.VocabularySize, tokenizer.BosId, tokenizer.EosId));
        Assert.Equal(" w5000 w32063", tokenizer.Decode([5000, 32_063]));
        Assert.All(Enumerable.Range(0, 32_064), id => Assert.False(string.IsNullOrEmpty(tokenizer.TokenOf(id))));
    }

    [Fact]
    public void A_user_cannot_spell_special_tokens()
    {
        Tokenizer tokenizer = DummyTokenizer.Create(300, new Dictionary<int, string> { [7] = "<image>" }, null, null);
        Assert.DoesNotContain(7, tokenizer.Encode("<image>"));
        Assert.Equal([7], tokenizer.Encode("<image>", parseSpecial: true));
    }

    [Fact]
    public void A_vocabulary_without_room_for_bytes_is_refused() =>
        Assert.Throws<ArgumentException>(() => DummyTokenizer.Create(257, Special, "<s>", "</s>"));
}
