using MmCluster.Engine.Scheduling;
using MmCluster.Engine.Speculation;
using MmCluster.Engine.Structured;

namespace MmCluster.Engine.Output;

/// <summary>One choice's way from tokens to output: when it ends, its text, its grammar's state, its drafts. Owned by the engine's thread.</summary>
internal sealed class SequenceOutputState
{
    private readonly SamplingParameters _sampling;
    private readonly TextAssembler? _text;
    private readonly GrammarMatcher? _grammar;
    private readonly int[] _stopTokens;
    private readonly int _maxTokens;
    private int _outputLength;

    public SequenceOutputState(SamplingParameters sampling, EngineOptions options, TokenGrammar? grammar, int promptLength, int lengthLimit)
    {
        _sampling = sampling;
        _maxTokens = Math.Min(sampling.MaxTokens ?? int.MaxValue, lengthLimit - promptLength);
        _stopTokens = [.. (sampling.IgnoreEos ? [] : options.EosTokenIds).Concat(sampling.StopTokenIds).Distinct()];
        _text = options.Vocabulary is { } vocabulary
            ? new TextAssembler(vocabulary.CreateDecoder(sampling.SkipSpecialTokens), sampling.Stop, sampling.IncludeStop)
            : null;
        _grammar = grammar?.CreateMatcher(_stopTokens);
    }

    /// <summary>Tokens that end it; not to be drawn before MinTokens.</summary>
    public ReadOnlyMemory<int> StopTokenIds => _stopTokens;

    /// <summary>Why it ended, or null.</summary>
    public FinishReason? Finish { get; private set; }

    /// <summary>Takes a sampled token in and says whether the sequence ends with it.</summary>
    public FinishReason? Accept(int token)
    {
        _outputLength++;
        bool mayStop = _outputLength >= _sampling.MinTokens;
        if (Array.IndexOf(_stopTokens, token) >= 0)
        {
            if (_sampling.IncludeStop)
            {
                _text?.Push(token, mayStop: false);
            }
            Finish = FinishReason.Stop;
        }
        else if (_text?.Push(token, mayStop) == true)
        {
            Finish = FinishReason.Stop;
        }
        else
        {
            bool over = _grammar?.Advance(token) == true;
            Finish = over ? FinishReason.Stop : _outputLength >= _maxTokens ? FinishReason.Length : null;
        }
        if (Finish is not null)
        {
            _text?.Finish();
        }
        return Finish;
    }

    /// <summary>Whether the position of the next token can be planned before that token is known: nothing but a stop can make it void.</summary>
    public bool MayRunAhead => _grammar is null && _outputLength + 1 < _maxTokens;

    /// <summary>Takes tokens in that were emitted earlier: their text was too.</summary>
    public FinishReason? Replay(ReadOnlySpan<int> tokens)
    {
        foreach (int token in tokens)
        {
            if (Accept(token) is not null)
            {
                break;
            }
        }
        _text?.Take();
        return Finish;
    }

    /// <summary>Ends it from outside.</summary>
    public void End(FinishReason reason)
    {
        Finish ??= reason;
        _text?.Finish();
    }

    /// <summary>Text that may be sent.</summary>
    public string TakeText() => _text?.Take() ?? "";

    /// <summary>Appends up to <paramref name="limit"/> draft tokens for the next positions and says how many.</summary>
    public int Draft(Sequence sequence, Scheduling.PlanList<int> drafts, int limit, EngineOptions options)
    {
        limit = Math.Min(limit, _maxTokens - sequence.OutputLength - 1);
        if (limit <= 0)
        {
            return 0;
        }
        ReadOnlySpan<int> found = PromptLookup.Find(sequence.Tokens, options.PromptLookupMin, options.PromptLookupMax, limit);
        int count = _grammar is null ? found.Length : _grammar.CountAllowed(found);
        found[..count].CopyTo(drafts.Take(count));
        return count;
    }

    /// <summary>Appends the masks of the next sampled position and of each draft's; null when anything goes.</summary>
    public int? AddMasks(Scheduling.PlanList<uint> masks, ReadOnlySpan<int> drafts)
    {
        if (_grammar is null)
        {
            return null;
        }
        int offset = masks.Count;
        _grammar.AddMasks(masks, drafts);
        return offset;
    }
}
