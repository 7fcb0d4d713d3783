using System.Text.Json;
using MmCluster.Cli.Hosting;
using Spectre.Console;

namespace MmCluster.Cli.Tests;

/// <summary>What one run of <c>mm</c> inside the test process gave.</summary>
internal sealed record CommandRun(int Exit, string Out, string Error)
{
    /// <summary>The JSON object on the last line of standard output.</summary>
    public JsonElement Json => JsonDocument.Parse(Out.TrimEnd().Split('\n')[^1]).RootElement;

    public static Task<CommandRun> OfAsync(params string[] args) => WithAsync("", [], args);

    public static async Task<CommandRun> WithAsync(string input, Dictionary<string, string> environment, params string[] args)
    {
        var output = new StringWriter();
        var error = new StringWriter();
        int exit = await CommandLine.RunAsync(
            args,
            new CommandContext
            {
                In = new StringReader(input),
                Out = output,
                Error = error,
                Names = () => environment.Keys,
                Environment = name => environment.GetValueOrDefault(name),
                Progress = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(TextWriter.Null) }),
            },
            TestContext.Current.CancellationToken);
        return new CommandRun(exit, output.ToString(), error.ToString());
    }
}
