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

    [Fact]
    public async Task An_unknown_device_is_named()
    {
        CommandRun run = await CommandRun.OfAsync("verify", "anywhere", "--device", "tpu");
        Assert.Equal(ExitCodes.BadInput, run.Exit);
        Assert.Contains("'tpu'", run.Error, StringComparison.Ordinal);
    }
}
