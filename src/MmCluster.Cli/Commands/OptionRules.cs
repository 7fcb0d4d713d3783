using System.CommandLine;
using System.CommandLine.Parsing;

namespace MmCluster.Cli.Commands;

/// <summary>What an option needs or excludes. One that would be ignored is refused by name: who wrote it expects something of it.</summary>
internal static class OptionRules
{
    /// <summary>Adds options in their order.</summary>
    public static void AddAll(this Command command, IEnumerable<Option> options)
    {
        foreach (Option option in options)
        {
            command.Add(option);
        }
    }

    /// <summary>Refuses <paramref name="option"/> where <paramref name="other"/> is not written.</summary>
    public static void Needs(this Command command, Option option, Option other) => command.Validators.Add(result =>
    {
        if (IsWritten(result, option) && !IsWritten(result, other))
        {
            result.AddError($"{option.Name} has no effect without {other.Name}.");
        }
    });

    /// <summary>Refuses <paramref name="option"/> where <paramref name="other"/> is written.</summary>
    /// <param name="command">The command that has both.</param>
    /// <param name="option">What would be ignored.</param>
    /// <param name="other">What makes it so.</param>
    /// <param name="instead">What to do instead, or null where there is nothing.</param>
    public static void Excludes(this Command command, Option option, Option other, string? instead = null) => command.Validators.Add(result =>
    {
        if (IsWritten(result, option) && IsWritten(result, other))
        {
            result.AddError($"{option.Name} has no effect with {other.Name}{(instead is null ? "." : $"; {instead}.")}");
        }
    });

    private static bool IsWritten(CommandResult result, Option option) => result.GetResult(option) is { Implicit: false };
}
