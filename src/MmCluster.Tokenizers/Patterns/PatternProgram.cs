namespace MmCluster.Tokenizers.Patterns;

/// <summary>What one instruction does.</summary>
internal enum Operation
{
    /// <summary>Take one code point of Chars.</summary>
    Take,

    /// <summary>Take Min to Max code points of Chars, giving back as Greed says.</summary>
    TakeMany,

    /// <summary>Go on at A; on failure at B.</summary>
    Split,

    /// <summary>Go on at A.</summary>
    Jump,

    /// <summary>Look ahead or behind with Inner.</summary>
    Look,

    /// <summary>Match Inner once and keep it.</summary>
    Atomic,

    /// <summary>Test the position.</summary>
    Anchor,

    /// <summary>Done.</summary>
    Match,
}

/// <summary>One step of a compiled expression.</summary>
internal sealed record Instruction(Operation Operation)
{
    public CharSet? Chars { get; init; }
    public int A { get; set; }
    public int B { get; set; }
    public int Min { get; init; }
    public int Max { get; init; }
    public Greed Greed { get; init; }
    public Anchor Anchor { get; init; }
    public Instruction[]? Inner { get; init; }
    public bool Behind { get; init; }
    public bool Negative { get; init; }
}

/// <summary>Turns a parsed expression into instructions for a backtracking machine.</summary>
internal sealed class PatternProgram
{
    private const int MaxInstructions = 20_000;

    private readonly List<Instruction> _code = [];

    /// <summary>Compiles <paramref name="node"/>; throws <see cref="NotSupportedException"/> for what the machine cannot do.</summary>
    public static Instruction[] Compile(PatternNode node)
    {
        var program = new PatternProgram();
        program.Emit(node);
        program.Add(new Instruction(Operation.Match));
        return [.. program._code];
    }

    private Instruction Add(Instruction instruction)
    {
        if (_code.Count >= MaxInstructions)
        {
            throw new NotSupportedException($"regular expression: more than {MaxInstructions} steps");
        }
        _code.Add(instruction);
        return instruction;
    }

    private void Emit(PatternNode node)
    {
        switch (node)
        {
            case PatternNode.Set set:
                Add(new Instruction(Operation.Take) { Chars = set.Chars });
                break;
            case PatternNode.Sequence sequence:
                foreach (PatternNode item in sequence.Items)
                {
                    Emit(item);
                }
                break;
            case PatternNode.Choice choice:
                EmitChoice(choice.Options);
                break;
            case PatternNode.Repeat repeat:
                EmitRepeat(repeat);
                break;
            case PatternNode.Atomic atomic:
                Add(new Instruction(Operation.Atomic) { Inner = Compile(atomic.Body) });
                break;
            case PatternNode.Look look:
                EmitLook(look);
                break;
            case PatternNode.At at:
                Add(new Instruction(Operation.Anchor) { Anchor = at.Anchor });
                break;
            default:
                throw new System.Diagnostics.UnreachableException($"no code for {node.GetType().Name}");
        }
    }

    private void EmitChoice(IReadOnlyList<PatternNode> options)
    {
        var exits = new List<Instruction>();
        for (int i = 0; i < options.Count; i++)
        {
            if (i == options.Count - 1)
            {
                Emit(options[i]);
                break;
            }
            Instruction split = Add(new Instruction(Operation.Split));
            split.A = _code.Count;
            Emit(options[i]);
            exits.Add(Add(new Instruction(Operation.Jump)));
            split.B = _code.Count;
        }
        foreach (Instruction exit in exits)
        {
            exit.A = _code.Count;
        }
    }

    private void EmitRepeat(PatternNode.Repeat repeat)
    {
        if (repeat.Body is PatternNode.Set set)
        {
            Add(new Instruction(Operation.TakeMany) { Chars = set.Chars, Min = repeat.Min, Max = repeat.Max, Greed = repeat.Greed });
            return;
        }
        if (repeat.Greed == Greed.Possessive)
        {
            Add(new Instruction(Operation.Atomic) { Inner = Compile(repeat with { Greed = Greed.Greedy }) });
            return;
        }
        if (repeat.Max == int.MaxValue && repeat.Body.CanBeEmpty)
        {
            throw new NotSupportedException("regular expression: a repeated group that can match nothing");
        }
        for (int i = 0; i < repeat.Min; i++)
        {
            Emit(repeat.Body);
        }
        if (repeat.Max == int.MaxValue)
        {
            Instruction split = Add(new Instruction(Operation.Split));
            int loop = _code.Count - 1;
            int body = _code.Count;
            Emit(repeat.Body);
            Add(new Instruction(Operation.Jump) { A = loop });
            Prefer(split, body, _code.Count, repeat.Greed);
            return;
        }
        var splits = new List<(Instruction Split, int Body)>();
        for (int i = repeat.Min; i < repeat.Max; i++)
        {
            splits.Add((Add(new Instruction(Operation.Split)), _code.Count));
            Emit(repeat.Body);
        }
        foreach ((Instruction split, int body) in splits)
        {
            Prefer(split, body, _code.Count, repeat.Greed);
        }
    }

    private static void Prefer(Instruction split, int body, int exit, Greed greed) =>
        (split.A, split.B) = greed == Greed.Lazy ? (exit, body) : (body, exit);

    private void EmitLook(PatternNode.Look look)
    {
        int back = 0;
        if (look.Behind)
        {
            back = look.Body.FixedLength
                ?? throw new NotSupportedException("regular expression: a look-behind of varying length");
        }
        Add(new Instruction(Operation.Look)
        {
            Inner = Compile(look.Body),
            Behind = look.Behind,
            Negative = look.Negative,
            Min = back,
        });
    }
}
