namespace MmCluster.Tokenizers.Jinja;

/// <summary>A template or its input is at fault; the renderer adds name and line and makes the public exception of it.</summary>
internal sealed class TemplateFailure : Exception
{
    public TemplateFailure(string message, FailureKind kind = FailureKind.Content, int line = 0)
        : base(message)
    {
        Kind = kind;
        Line = line;
    }

    /// <summary>Who is at fault.</summary>
    public FailureKind Kind { get; }

    /// <summary>The line, or 0 when the renderer knows it better.</summary>
    public int Line { get; }
}

/// <summary>Who is at fault.</summary>
internal enum FailureKind
{
    /// <summary>The template's text, or its way to handle this input.</summary>
    Content,

    /// <summary>A construct that this interpreter does not know.</summary>
    Unknown,

    /// <summary>The template refused its input with raise_exception.</summary>
    Refused,
}
