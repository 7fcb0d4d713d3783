using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;

namespace MmCluster.Embedded.Orleans.Generator;

/// <summary>A diagnostic without symbols, so that it can be compared between runs.</summary>
internal sealed class Finding : IEquatable<Finding>
{
    private readonly DiagnosticDescriptor _rule;
    private readonly string _path;
    private readonly TextSpan _span;
    private readonly LinePositionSpan _lines;
    private readonly string[] _arguments;

    public Finding(DiagnosticDescriptor rule, Location? location, params string[] arguments)
    {
        _rule = rule;
        _path = location?.SourceTree?.FilePath ?? "";
        _span = location?.SourceSpan ?? default;
        _lines = location?.GetLineSpan().Span ?? default;
        _arguments = arguments;
    }

    public Diagnostic ToDiagnostic() => Diagnostic.Create(
        _rule, _path.Length == 0 ? Location.None : Location.Create(_path, _span, _lines), _arguments.Cast<object>().ToArray());

    public bool Equals(Finding? other) => other is not null && _rule.Id == other._rule.Id && _path == other._path && _span == other._span
        && _arguments.SequenceEqual(other._arguments);

    public override bool Equals(object? obj) => Equals(obj as Finding);

    public override int GetHashCode() => (_rule.Id.GetHashCode() * 31) + _span.GetHashCode();
}

/// <summary>What came of one type: its source, its lines of the manifest, its findings.</summary>
internal sealed class Output : IEquatable<Output>
{
    public string Name { get; set; } = "";

    public string Source { get; set; } = "";

    public List<string> Manifest { get; } = [];

    public List<Finding> Findings { get; } = [];

    public bool IsEmpty => Source.Length == 0 && Manifest.Count == 0 && Findings.Count == 0;

    public bool Equals(Output? other) => other is not null && Name == other.Name && Source == other.Source
        && Manifest.SequenceEqual(other.Manifest) && Findings.SequenceEqual(other.Findings);

    public override bool Equals(object? obj) => Equals(obj as Output);

    public override int GetHashCode() => (Name.GetHashCode() * 31) + Source.GetHashCode();
}
