using System.Text.RegularExpressions;

namespace MmCluster.Embedded.Api.Tests;

/// <summary>
/// A list of an original's public API: a line a type, and indented below it a line a member. Lines are compared without
/// what the lists write in different ways: namespaces, <c>public</c>, empty bodies, and the <c>?</c> of references.
/// </summary>
internal sealed partial class ApiList
{
    private static readonly Dictionary<string, string> ClrNames = new() { ["Int16"] = "short", ["UInt16"] = "ushort", ["Char"] = "char" };

    private readonly Dictionary<string, HashSet<string>> _members = [];
    private readonly Dictionary<string, string> _headers = [];
    private readonly Dictionary<string, string[]> _attributes = [];
    private readonly HashSet<string> _words;
    private readonly bool _exactNullability;

    /// <param name="text">The list.</param>
    /// <param name="exactNullability">Whether it writes <c>?</c> behind nullable values alone.</param>
    public ApiList(string text, bool exactNullability = false)
    {
        _exactNullability = exactNullability;
        HashSet<string>? members = null;
        string type = "";
        foreach (string line in text.Split('\n').Where(line => line.Length > 0 && line[0] != '#'))
        {
            if (!char.IsWhiteSpace(line[0]))
            {
                string header = Normalize(line);
                string name = NameOf(header);
                _headers[name] = header;
                _members[name] = members = [];
                _attributes[type = name] = AttributesOf(line);
            }
            else
            {
                // An enum's values are on one line, or on one each.
                // Attributes of members are compared apart from their signatures.
                string member = Attributes().Replace(line, "");
                members!.UnionWith(EnumValues().IsMatch(member) ? member.Split(", ").Select(Form) : [Form(member)]);
                _attributes[$"{type}: {Form(member)}"] = AttributesOf(line.Trim());
            }
        }
        _words = [.. Word().Matches(text).Select(match => match.Value)];
    }

    /// <summary>Whether the list has the type itself.</summary>
    public bool HasType(string name) => _headers.ContainsKey(Normalize(name));

    /// <summary>Whether a signature in the list mentions the type.</summary>
    public bool Mentions(string simpleName) => _words.Contains(simpleName);

    /// <summary>The type's line: kind, name, and what it derives from and implements.</summary>
    public string HeaderOf(string name) => _headers[Normalize(name)];

    /// <summary>Whether the type has the member. A constructor without parameters is one that some lists leave out.</summary>
    public bool HasMember(string type, string member)
    {
        HashSet<string> members = _members[Normalize(type)];
        string name = Normalize(type).Split('<')[0];
        return members.Contains(Form(member))
            || (Normalize(member) == $"{name}()" && !members.Any(other => other.StartsWith(name + "(", StringComparison.Ordinal)));
    }

    /// <summary>The names of the attributes that the list gives the type or, where one is named, its member; usages apart.</summary>
    public string[] AttributesOf(string type, string? member) =>
        _attributes.GetValueOrDefault(member is null ? Normalize(type) : $"{Normalize(type)}: {Form(member)}", []);

    private static string[] AttributesOf(string line) =>
        [.. AttributeNames().Matches(Attributes().Match(" " + line).Value).Select(match => match.Groups[1].Value).Where(name => name != "Usage")];

    private string Form(string line) => Normalize(line, _exactNullability);

    public static string Normalize(string line) => Normalize(line, keepNullability: false);

    private static string Normalize(string line, bool keepNullability)
    {
        line = Namespace().Replace(line.Trim(), "");
        line = BaseCall().Replace(line, "");
        line = line.Replace("public ", "").Replace("= null", "= default").Replace("{ }", "").Replace("?", keepNullability ? "?" : "").TrimEnd(';', ' ', ',');
        line = Accessors().Replace(line, match => match.Value.Contains("set") ? "{ get; set; }" : match.Value.Contains("init") ? "{ get; init; }" : "{ get; }");
        line = ClrName().Replace(line, match => ClrNames[match.Value]);
        return Spaces().Replace(line, " ").Trim();
    }

    private static string NameOf(string header)
    {
        string rest = Kind().Replace(header, "");
        int end = 0;
        for (int depth = 0; end < rest.Length && (depth > 0 || rest[end] is not (' ' or ':')); end++)
        {
            depth += rest[end] == '<' ? 1 : rest[end] == '>' ? -1 : 0;
        }
        return rest[..end].Replace("out ", "").Replace("in ", "");
    }

    [GeneratedRegex(@"\b(?:global::)?(?:[A-Za-z_]\w*\.)+(?=[A-Z_])")]
    private static partial Regex Namespace();

    [GeneratedRegex(@"\{ get;? +(?:set;|init;)? ?\}|\{ get; \}")]
    private static partial Regex Accessors();

    [GeneratedRegex(@" : base\(.*\)")]
    private static partial Regex BaseCall();

    [GeneratedRegex(@"^\s+\w+ = \d+,?(?: \w+ = \d+,?)*\s*$")]
    private static partial Regex EnumValues();

    [GeneratedRegex(@"^\s+(?:\[.*?\] )+")]
    private static partial Regex Attributes();

    [GeneratedRegex(@"(?<=^|[ \]])\[(\w+)")]
    private static partial Regex AttributeNames();

    [GeneratedRegex(@"\b(?:Int16|UInt16|Char)\b")]
    private static partial Regex ClrName();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    [GeneratedRegex(@"^(?:\[[^\]]*\] )*(?:(?:sealed|static|abstract|readonly|partial) )*(?:class|struct|interface|enum|delegate) ")]
    private static partial Regex Kind();

    [GeneratedRegex(@"[A-Za-z_]\w*")]
    private static partial Regex Word();
}
