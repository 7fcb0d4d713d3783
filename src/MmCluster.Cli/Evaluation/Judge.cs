using System.Text.RegularExpressions;

namespace MmCluster.Cli.Evaluation;

/// <summary>Says whether an answer is right.</summary>
internal static partial class Judge
{
    /// <summary>Lower case; letters a to z, digits and hyphens only, single spaces between.</summary>
    public static string Normalize(string text) => Others().Replace(text.ToLowerInvariant(), " ").Trim(' ');

    /// <summary>Whether an answer equals the expected one once both are normalized.</summary>
    public static bool IsRight(string answer, string expected) => Normalize(answer) == Normalize(expected);

    [GeneratedRegex("[^a-z0-9-]+", RegexOptions.CultureInvariant)]
    private static partial Regex Others();
}
