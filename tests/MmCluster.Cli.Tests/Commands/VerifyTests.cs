using System.Text.Json;
using MmCluster.Cli.Hosting;

namespace MmCluster.Cli.Tests.Commands;

public sealed class VerifyTests
{
    [Fact]
    public async Task A_folder_without_cases_is_exit_code_2()
    {
        using var folder = new TemporaryFolder();
        CommandRun run = await CommandRun.OfAsync("verify", folder.Path);
        Assert.Equal(ExitCodes.BadInput, run.Exit);
        Assert.Contains(folder.Path, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_damaged_case_is_one_FAIL_line_and_exit_code_1()
    {
        using var folder = new TemporaryFolder();
        folder.Write("io.safetensors", [1, 2, 3]);
        CommandRun run = await CommandRun.OfAsync("verify", folder.Path);
        Assert.Equal(ExitCodes.No, run.Exit);
        Assert.Matches(@"^\S+ +FAIL\n$", run.Out);
    }

    [Theory]
    [InlineData(false, "ok", JsonValueKind.Number)]
    [InlineData(true, "FAIL", JsonValueKind.Null)] // another shape: JSON has no infinity
    public async Task Json_has_each_cases_error(bool turned, string status, JsonValueKind error)
    {
        using var folder = new TemporaryFolder();
        foreach (string file in Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "goldens", "clip_text_masked")))
        {
            folder.Write(Path.GetFileName(file), File.ReadAllBytes(file));
        }
        if (turned)
        {
            byte[] io = File.ReadAllBytes(Path.Combine(folder.Path, "io.safetensors"));
            int at = io.AsSpan().IndexOf("\"out.pooled\""u8);
            "[16,3]"u8.CopyTo(io.AsSpan(at + io.AsSpan(at).IndexOf("[3,16]"u8)));
            folder.Write("io.safetensors", io);
        }
        CommandRun run = await CommandRun.OfAsync("verify", folder.Path, "--json");
        using JsonDocument answer = JsonDocument.Parse(run.Out.TrimEnd().Split('\n')[^1]);
        JsonElement only = Assert.Single(answer.RootElement.GetProperty("cases").EnumerateArray());
        Assert.Equal((status, error), (only.GetProperty("status").GetString(), only.GetProperty("error").ValueKind));
    }

    [Fact]
    public async Task An_unknown_device_is_named()
    {
        CommandRun run = await CommandRun.OfAsync("verify", "anywhere", "--device", "tpu");
        Assert.Equal(ExitCodes.BadInput, run.Exit);
        Assert.Contains("'tpu'", run.Error, StringComparison.Ordinal);
    }
}
