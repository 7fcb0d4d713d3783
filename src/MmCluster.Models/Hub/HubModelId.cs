using System.Diagnostics.CodeAnalysis;

namespace MmCluster.Models.Hub;

/// <summary>A model's name on a hub: <c>ORG/NAME</c>, each of letters, digits, dot, underscore and hyphen.</summary>
/// <param name="Organization">Who publishes it.</param>
/// <param name="Name">What it is called there.</param>
public sealed record HubModelId(string Organization, string Name)
{
    private const int MaxPartLength = 96;

    /// <summary>The name of its folder in a local store: <c>ORG--NAME</c>.</summary>
    public string FolderName => $"{Organization}--{Name}";

    /// <summary>Reads <c>ORG/NAME</c>.</summary>
    /// <param name="text">What a user typed.</param>
    /// <exception cref="MmException">InvalidArgument: it is not of that form.</exception>
    public static HubModelId Parse(string text) => TryParse(text, out HubModelId? id) ? id
        : throw new MmException(MmErrorCode.InvalidArgument,
            $"'{text}' is no model of a hub: write ORG/NAME, each of letters, digits, '.', '_' and '-'");

    /// <summary>Reads <c>ORG/NAME</c>.</summary>
    /// <param name="text">What a user typed.</param>
    /// <param name="id">The name, if it has that form.</param>
    /// <returns>Whether it has that form.</returns>
    public static bool TryParse(string text, [NotNullWhen(true)] out HubModelId? id)
    {
        string[] parts = text.Split('/');
        id = parts.Length == 2 && IsPart(parts[0]) && IsPart(parts[1]) ? new HubModelId(parts[0], parts[1]) : null;
        return id is not null;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Organization}/{Name}";

    private static bool IsPart(string part) => part.Length is > 0 and <= MaxPartLength && part[0] is not ('.' or '-')
        && part.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '_' or '-');
}
