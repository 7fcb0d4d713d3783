namespace MmCluster.Models.Checkpoints;

/// <summary>
/// How the keys of a checkpoint become the names that a network reads. Rules run in order, each once over every key; a rule rewrites a key's
/// beginning. Keys that match an ignore pattern may be left unread.
/// </summary>
public sealed class KeyMap
{
    private readonly List<Rule> _rules = [];
    private readonly List<string> _ignored = [];

    /// <summary>Keys as they are.</summary>
    public static KeyMap Identity { get; } = new();

    /// <summary>Rewrites keys that begin with <paramref name="from"/>.</summary>
    public KeyMap Rename(string from, string to)
    {
        _rules.Add(new Rule(from, to, []));
        return this;
    }

    /// <summary>Puts <paramref name="prefix"/> before keys that begin with none of <paramref name="except"/>.</summary>
    public KeyMap Prefix(string prefix, params string[] except)
    {
        _rules.Add(new Rule("", prefix, except));
        return this;
    }

    /// <summary>Lets keys stay unread: those whose new name equals a pattern, or fits it where it has a leading or trailing '*'.</summary>
    public KeyMap Ignore(params ReadOnlySpan<string> patterns)
    {
        _ignored.AddRange(patterns);
        return this;
    }

    /// <summary>Rules of <paramref name="other"/> after these; what is in both counts once.</summary>
    public KeyMap Then(KeyMap other)
    {
        KeyMap joined = new();
        joined._rules.AddRange(_rules.Concat(other._rules).Distinct());
        joined._ignored.AddRange(_ignored.Concat(other._ignored).Distinct());
        return joined;
    }

    /// <summary>The name that a network reads for a checkpoint's key.</summary>
    public string Map(string key)
    {
        foreach (Rule rule in _rules)
        {
            key = rule.Apply(key);
        }
        return key;
    }

    /// <summary>Whether a name may stay unread.</summary>
    public bool IsIgnored(string name) => _ignored.Exists(pattern => Fits(name, pattern));

    private static bool Fits(string name, string pattern) => (pattern.StartsWith('*'), pattern.EndsWith('*')) switch
    {
        (true, true) => name.Contains(pattern.Trim('*'), StringComparison.Ordinal),
        (true, false) => name.EndsWith(pattern[1..], StringComparison.Ordinal),
        (false, true) => name.StartsWith(pattern[..^1], StringComparison.Ordinal),
        _ => name == pattern,
    };

    private readonly record struct Rule(string From, string To, string[] Except)
    {
        public string Apply(string key) =>
            key.StartsWith(From, StringComparison.Ordinal) && !Except.Any(prefix => key.StartsWith(prefix, StringComparison.Ordinal))
                ? To + key[From.Length..]
                : key;
    }
}
