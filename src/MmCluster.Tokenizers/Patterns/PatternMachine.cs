using MmCluster.Tokenizers.Unicode;

namespace MmCluster.Tokenizers.Patterns;

/// <summary>Runs compiled expressions over one text with backtracking and a budget of steps.</summary>
internal ref struct PatternMachine(ReadOnlySpan<char> text, long budget)
{
    // What to try next when the current way fails.
    private struct Retry
    {
        public int Next;
        public int Position;
        public int Limit; // how far a repetition may still give back (greedy) or how many it may still take (lazy)
        public Instruction? Loop;
    }

    private readonly ReadOnlySpan<char> _text = text;
    private Retry[] _stack = [];
    private int _depth;
    private long _budget = budget;

    /// <summary>Whether the budget ran out; the last result means nothing then.</summary>
    public readonly bool OutOfSteps => _budget < 0;

    /// <summary>Where a match that starts at <paramref name="start"/> ends, or -1.</summary>
    public int Run(Instruction[] program, int start)
    {
        int floor = _depth;
        int at = start;
        int next = 0;
        while (true)
        {
            if (--_budget < 0)
            {
                _depth = floor;
                return -1;
            }
            Instruction step = program[next];
            bool matched;
            switch (step.Operation)
            {
                case Operation.Match:
                    _depth = floor;
                    return at;
                case Operation.Jump:
                    next = step.A;
                    continue;
                case Operation.Split:
                    Push(new Retry { Next = step.B, Position = at });
                    next = step.A;
                    continue;
                case Operation.Take:
                    matched = TryTake(step.Chars!, ref at);
                    break;
                case Operation.TakeMany:
                    matched = TakeMany(step, next + 1, ref at);
                    break;
                case Operation.Look:
                    matched = Look(step, at) != step.Negative;
                    break;
                case Operation.Atomic:
                    int end = Run(step.Inner!, at);
                    matched = end >= 0;
                    at = matched ? end : at;
                    break;
                default:
                    matched = Holds(step.Anchor, at);
                    break;
            }
            if (matched)
            {
                next++;
            }
            else if (!TryRetry(floor, ref next, ref at))
            {
                return -1;
            }
        }
    }

    private bool TryRetry(int floor, ref int next, ref int at)
    {
        while (_depth > floor)
        {
            ref Retry retry = ref _stack[_depth - 1];
            if (retry.Loop is not { } loop)
            {
                next = retry.Next;
                at = retry.Position;
                _depth--;
                return true;
            }
            next = retry.Next;
            if (loop.Greed == Greed.Greedy)
            {
                if (retry.Position <= retry.Limit)
                {
                    _depth--;
                    continue;
                }
                CodePoints.Before(_text, retry.Position, out int length);
                retry.Position -= length;
                at = retry.Position;
                return true;
            }
            at = retry.Position;
            if (retry.Limit-- <= 0 || !TryTake(loop.Chars!, ref at))
            {
                _depth--;
                continue;
            }
            retry.Position = at;
            return true;
        }
        return false;
    }

    private readonly bool TryTake(CharSet chars, ref int at)
    {
        if (at >= _text.Length || !chars.Contains(CodePoints.At(_text, at, out int length)))
        {
            return false;
        }
        at += length;
        return true;
    }

    private bool TakeMany(Instruction step, int next, ref int at)
    {
        int taken = 0;
        int least = at;
        int most = step.Greed == Greed.Lazy ? step.Min : step.Max;
        while (taken < most && TryTake(step.Chars!, ref at))
        {
            taken++;
            if (taken == step.Min)
            {
                least = at;
            }
        }
        _budget -= taken;
        if (taken < step.Min)
        {
            return false;
        }
        if (step.Greed == Greed.Lazy)
        {
            Push(new Retry { Next = next, Position = at, Limit = step.Max - taken, Loop = step });
        }
        else if (step.Greed == Greed.Greedy && at > least)
        {
            Push(new Retry { Next = next, Position = at, Limit = least, Loop = step });
        }
        return true;
    }

    private bool Look(Instruction step, int at)
    {
        for (int i = 0; i < step.Min; i++)
        {
            if (at == 0)
            {
                return false;
            }
            CodePoints.Before(_text, at, out int length);
            at -= length;
        }
        return Run(step.Inner!, at) >= 0;
    }

    private readonly bool Holds(Anchor anchor, int at) => anchor switch
    {
        Anchor.LineStart => at == 0 || (_text[at - 1] == '\n' && at < _text.Length),
        Anchor.LineEnd => at == _text.Length || _text[at] == '\n',
        Anchor.TextStart => at == 0,
        Anchor.TextEnd => at == _text.Length,
        Anchor.TextEndOrNewline => at == _text.Length || (at == _text.Length - 1 && _text[at] == '\n'),
        Anchor.WordBoundary => IsBoundary(at),
        Anchor.NotWordBoundary => !IsBoundary(at),
        _ => throw new System.Diagnostics.UnreachableException($"no test for {anchor}"),
    };

    private readonly bool IsBoundary(int at)
    {
        bool before = at > 0 && Categories.IsOnigurumaWord(CodePoints.Before(_text, at, out _));
        bool after = at < _text.Length && Categories.IsOnigurumaWord(CodePoints.At(_text, at, out _));
        return before != after;
    }

    private void Push(Retry retry)
    {
        if (_depth == _stack.Length)
        {
            Array.Resize(ref _stack, Math.Max(16, _stack.Length * 2));
        }
        _stack[_depth++] = retry;
    }
}
