using System.Text;
using System.Text.Json;

namespace MmCluster.Cli.Tests.Commands;

public sealed class InspectTests
{
    [Fact]
    public async Task Tensors_are_listed_with_shape_type_and_size()
    {
        using var folder = new TemporaryFolder();
        folder.Write("model.safetensors", Safetensors("""{"w":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}}""", 12));
        CommandRun run = await CommandRun.OfAsync("inspect", folder.Path);
        Assert.Equal(0, run.Exit);
        Assert.Matches(@"^w  BF16  \[2, 3\] +12 B\n1 tensors, 6 values, 12 B in 1 file\(s\)\n$", run.Out);
        JsonElement json = (await CommandRun.OfAsync("inspect", folder.Path, "--json")).Json;
        Assert.Equal((6, 12), (json.GetProperty("parameters").GetInt64(), json.GetProperty("bytes").GetInt64()));
    }

    [Fact]
    public async Task A_truncated_file_is_one_line_naming_it_and_exit_code_2()
    {
        using var folder = new TemporaryFolder();
        folder.Write("model.safetensors", Safetensors("""{"w":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}}""", 5));
        CommandRun run = await CommandRun.OfAsync("inspect", folder.Path);
        Assert.Equal(2, run.Exit);
        Assert.Contains("model.safetensors", Assert.Single(run.Error.TrimEnd().Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pickle_that_names_a_function_is_refused_by_its_name()
    {
        using var folder = new TemporaryFolder();
        string file = folder.Write("evil.pth", "cos\nsystem\n(S'id'\ntR."u8.ToArray());
        CommandRun run = await CommandRun.OfAsync("inspect", file);
        string line = Assert.Single(run.Error.TrimEnd().Split('\n'));
        Assert.Equal(2, run.Exit);
        Assert.Contains("evil.pth", line, StringComparison.Ordinal);
        Assert.Contains("os.system", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_folder_is_named() => Assert.Contains(
        "/no/such/folder", (await CommandRun.OfAsync("inspect", "/no/such/folder")).Error, StringComparison.Ordinal);

    private static byte[] Safetensors(string header, int dataBytes)
    {
        byte[] text = Encoding.UTF8.GetBytes(header);
        return [.. BitConverter.GetBytes((long)text.Length), .. text, .. new byte[dataBytes]];
    }
}
