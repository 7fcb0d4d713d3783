namespace MmCluster.Tokenizers.Tests;

/// <summary>Ids and decoded text against the reference libraries', made by goldens/tokenizers/make_tokenizers.py.</summary>
public sealed class VectorTests
{
    public static TheoryData<string> Names =>
        [.. Directory.GetDirectories(GoldenFolders.Tokenizer("")).Select(path => Path.GetFileName(path)).Order()];

    [Theory, MemberData(nameof(Names))]
    public void Ids_and_text_equal_the_reference(string name)
    {
        VectorResult result = TokenizerVectors.Check(GoldenFolders.Tokenizer(name));
        Assert.True(result.IsOk, string.Join(Environment.NewLine, result.Failures));
    }

    [Fact]
    public void Every_kind_of_tokenizer_has_vectors() => Assert.True(Names.Count >= 8);

    [Fact]
    public void A_wrong_vector_is_reported()
    {
        string folder = Directory.CreateTempSubdirectory("vectors").FullName;
        File.Copy(Path.Combine(GoldenFolders.Tokenizer("sp_unigram_t5"), "tokenizer.model"), Path.Combine(folder, "tokenizer.model"));
        File.WriteAllText(Path.Combine(folder, "vectors.json"), """[{"text": "Hello", "ids": [5, 399], "decoded": "Goodbye"}]""");
        VectorResult result = TokenizerVectors.Check(folder);
        Directory.Delete(folder, recursive: true);
        Assert.Equal((false, 1, 2), (result.IsOk, result.Checked, result.Failed));
    }
}
