namespace MmCluster.Cli.Tests.Hosting;

public sealed class CommandLineTests
{
    [Fact]
    public async Task Help_goes_to_standard_output_and_is_no_failure()
    {
        CommandRun run = await CommandRun.OfAsync("--help");
        Assert.Equal((0, ""), (run.Exit, run.Error));
        Assert.Contains("bench", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_command_is_one_line_and_exit_code_2()
    {
        CommandRun run = await CommandRun.OfAsync("frobnicate");
        Assert.Equal(2, run.Exit);
        Assert.Equal("", run.Out);
        Assert.Contains("'frobnicate'", Assert.Single(run.Error.TrimEnd().Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_json_an_error_is_an_object_on_the_last_line_of_output()
    {
        CommandRun run = await CommandRun.OfAsync("frobnicate", "--json");
        Assert.Equal("InvalidArgument", run.Json.GetProperty("error").GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_wrong_option_value_names_the_command_whose_help_explains_it()
    {
        CommandRun run = await CommandRun.OfAsync("bench", "serve", "--num-prompts", "0");
        Assert.Equal(2, run.Exit);
        Assert.Contains("'mm bench serve --help'", run.Error, StringComparison.Ordinal);
    }
}
