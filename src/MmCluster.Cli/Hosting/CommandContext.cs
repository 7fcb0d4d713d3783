using Spectre.Console;

namespace MmCluster.Cli.Hosting;

/// <summary>Where a command reads and writes: answers to <see cref="Out"/>, progress and logs to <see cref="Error"/>.</summary>
internal sealed class CommandContext
{
    public required TextReader In { get; init; }

    public required TextWriter Out { get; init; }

    public required TextWriter Error { get; init; }

    /// <summary>Writes to standard error: progress bars must not mix with a command's answer.</summary>
    public required IAnsiConsole Progress { get; init; }

    /// <summary>Whether a person reads standard output.</summary>
    public bool Interactive { get; init; }

    /// <summary>Reads an environment variable; null when unset or empty.</summary>
    public Func<string, string?> Environment { get; init; } = _ => null;

    /// <summary>The names of environment variables that begin so, in any case.</summary>
    public IEnumerable<string> EnvironmentNames(string prefix) => Names().Where(name => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)).Order(StringComparer.Ordinal);

    /// <summary>Lists the environment variables.</summary>
    public Func<IEnumerable<string>> Names { get; init; } = () => [];

    /// <summary>Whether standard output is a terminal that shows 24-bit colours.</summary>
    public bool ShowsColours => Interactive && Environment("NO_COLOR") is null && Environment("COLORTERM") is ("truecolor" or "24bit");

    /// <summary>Folder of model cards: what ships beside the program, or MM_CARDS.</summary>
    public string Cards => Environment("MM_CARDS") ?? Path.Combine(AppContext.BaseDirectory, "models");

    public static CommandContext ForProcess() => new()
    {
        In = Console.In,
        Out = Console.Out,
        Error = Console.Error,
        Progress = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(Console.Error),
            // Spectre looks at standard output, which may be a terminal while errors go to a file, and the other way round.
            Ansi = Console.IsErrorRedirected ? AnsiSupport.No : AnsiSupport.Detect,
            Interactive = Console.IsErrorRedirected ? InteractionSupport.No : InteractionSupport.Detect,
        }),
        Interactive = !Console.IsOutputRedirected,
        Names = () => System.Environment.GetEnvironmentVariables().Keys.Cast<string>(),
        Environment = name => System.Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null,
    };
}
