namespace MmCluster.Tokenizers.Jinja;

/// <summary>What one rendering shares among all its scopes. Not thread-safe.</summary>
internal sealed class RenderState(Budget budget, TimeProvider time)
{
    public Budget Budget => budget;
    public TimeProvider Time => time;

    /// <summary>The line being worked on, for errors.</summary>
    public int Line { get; set; }
}

/// <summary>Variables by name, with those around them.</summary>
internal sealed class Scope(RenderState state, Scope? parent)
{
    private readonly Dictionary<string, Value> _variables = new(StringComparer.Ordinal);

    public RenderState State => state;

    /// <summary>A scope inside this one.</summary>
    public Scope Inner() => new(state, this);

    public Value? Find(string name)
    {
        for (Scope? scope = this; scope is not null; scope = scope.Parent)
        {
            if (scope._variables.TryGetValue(name, out Value? value))
            {
                return value;
            }
        }
        return null;
    }

    public void Set(string name, Value value) => _variables[name] = value;

    private Scope? Parent => parent;
}
