namespace MmCluster.Tokenizers.Jinja;

/// <summary>Counts what a template costs and stops one that goes too far. Not thread-safe.</summary>
internal sealed class Budget(long maxSteps, int maxText)
{
    private readonly int _maxText = maxText;
    // How many characters of text may be made for each one that may stand in the result.
    private const int TextFactor = 8;

    private const int MaxDepth = 150;

    private long _steps;
    private long _text = (long)maxText * TextFactor;
    private int _depth;

    /// <summary>Takes steps.</summary>
    public void Step(long count = 1)
    {
        _steps += count;
        if (_steps > maxSteps)
        {
            throw new TemplateFailure($"takes more than {maxSteps} steps");
        }
    }

    /// <summary>Takes text: so many characters more on top of so many.</summary>
    public void Grow(long more, long current = 0)
    {
        _text -= more;
        if (current + more > _maxText || _text < 0)
        {
            throw new TemplateFailure($"makes more than {_maxText} characters of text");
        }
    }

    /// <summary>Goes one level down in calls or loops.</summary>
    public void Enter()
    {
        if (++_depth > MaxDepth)
        {
            throw new TemplateFailure($"calls or loops nested deeper than {MaxDepth}");
        }
    }

    /// <summary>Comes back up.</summary>
    public void Leave() => _depth--;
}
