using MmCluster.Models.Catalog;
using MmCluster.Models.Hub;

namespace MmCluster.Models.Tests.Catalog;

public sealed class ModelLocatorTests : IDisposable
{
    private const string Card = """
        schema: 1
        name: tiny
        source: acme/tiny
        components:
          language_model:
            kind: backbone
            network: llama
        """;

    private readonly string _root = Directory.CreateTempSubdirectory("mm-test-").FullName;

    private ModelLocator Locator => new(Path.Combine(_root, "cards"), new LocalStore(Path.Combine(_root, "store")));

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void An_existing_folder_is_taken_as_it_is_and_named_by_its_last_part()
    {
        string folder = Directory.CreateDirectory(Path.Combine(_root, "my-model")).FullName;
        Assert.Equal(("my-model", folder + "/", null), Parts(Locator.Locate(folder + "/")));
    }

    [Fact]
    public void A_card_leads_to_its_pulled_source()
    {
        Write("cards/tiny.yaml", Card);
        string folder = Directory.CreateDirectory(Path.Combine(_root, "store", "acme--tiny")).FullName;
        LocatedModel found = Locator.Locate("tiny");
        Assert.Equal(("tiny", folder), (found.Name, found.Folder));
        Assert.Equal("tiny", found.Card?.Name);
    }

    [Fact]
    public void A_card_may_have_its_files_beside_it()
    {
        Write("cards/tiny.yaml", Card.Replace("acme/tiny", "./files", StringComparison.Ordinal));
        Directory.CreateDirectory(Path.Combine(_root, "cards", "files"));
        Assert.EndsWith("cards/files", Locator.Locate("tiny").Folder, StringComparison.Ordinal);
    }

    [Fact]
    public void A_card_whose_source_is_not_here_says_what_to_pull()
    {
        Write("cards/tiny.yaml", Card);
        Assert.Contains("mm pull acme/tiny", Assert.Throws<MmException>(() => Locator.Locate("tiny")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pulled_model_is_found_by_its_hub_name()
    {
        Directory.CreateDirectory(Path.Combine(_root, "store", "acme--tiny"));
        Assert.Equal("acme--tiny", Locator.Locate("acme/tiny").Name);
    }

    [Fact]
    public void An_unknown_name_lists_the_known_ones()
    {
        Write("cards/tiny.yaml", Card);
        Directory.CreateDirectory(Path.Combine(_root, "store", "acme--other"));
        MmException error = Assert.Throws<MmException>(() => Locator.Locate("tinny"));
        Assert.Equal(MmErrorCode.NotFound, error.Code);
        Assert.Contains("tiny, acme/other", error.Message, StringComparison.Ordinal);
    }

    private static (string, string, object?) Parts(LocatedModel model) => (model.Name, model.Folder, model.Card);

    private void Write(string path, string text)
    {
        string file = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }
}
