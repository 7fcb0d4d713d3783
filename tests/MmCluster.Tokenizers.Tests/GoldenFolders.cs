namespace MmCluster.Tokenizers.Tests;

/// <summary>The reference files that travel with the tests.</summary>
internal static class GoldenFolders
{
    public static string Root { get; } = Path.Combine(AppContext.BaseDirectory, "goldens");

    public static string Tokenizer(string name) => Path.Combine(Root, "tokenizers", name);

    public static Tokenizer Load(string name) => MmCluster.Tokenizers.Tokenizer.FromFolder(Tokenizer(name));
}
