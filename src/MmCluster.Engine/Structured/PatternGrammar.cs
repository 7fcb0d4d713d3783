using MmCluster.Engine.Scheduling;

namespace MmCluster.Engine.Structured;

/// <summary>A pattern against a vocabulary. Masks are kept a state, up to a number; a lock guards the automaton, which grows as it is used.</summary>
internal sealed class PatternGrammar(Automaton automaton, VocabularyTrie vocabulary) : TokenGrammar
{
    private const int MaxMasks = 256;

    private readonly Lock _gate = new();
    private readonly Dictionary<int, uint[]> _masks = [];

    public override GrammarMatcher CreateMatcher(int[] endTokens) => new Matcher(this, endTokens);

    private int Next(int state, int token)
    {
        lock (_gate)
        {
            ReadOnlySpan<byte> bytes = vocabulary.BytesOf(token);
            state = bytes.IsEmpty ? Automaton.Dead : state;
            foreach (byte value in bytes)
            {
                if (state == Automaton.Dead)
                {
                    break;
                }
                state = automaton.Next(state, value);
            }
            return state;
        }
    }

    private uint[] MaskOf(int state)
    {
        lock (_gate)
        {
            if (!_masks.TryGetValue(state, out uint[]? mask))
            {
                if (_masks.Count >= MaxMasks)
                {
                    _masks.Clear();
                }
                mask = new uint[vocabulary.Words];
                vocabulary.Mask(automaton, state, mask);
                _masks.Add(state, mask);
            }
            return mask;
        }
    }

    private (bool Accepting, bool CanContinue) Look(int state)
    {
        lock (_gate)
        {
            return (automaton.IsAccepting(state), automaton.CanContinue(state));
        }
    }

    private sealed class Matcher(PatternGrammar grammar, int[] endTokens) : GrammarMatcher
    {
        private int _state = grammar.StartState;

        public override bool Advance(int token)
        {
            int next = grammar.Next(_state, token);
            if (next == Automaton.Dead)
            {
                // Only what a replay brings may lie outside; the text cannot be completed then.
                return true;
            }
            _state = next;
            (bool accepting, bool canContinue) = grammar.Look(_state);
            return accepting && !canContinue;
        }

        public override int CountAllowed(ReadOnlySpan<int> tokens)
        {
            int state = _state;
            for (int i = 0; i < tokens.Length; i++)
            {
                state = grammar.Next(state, tokens[i]);
                if (state == Automaton.Dead)
                {
                    return i;
                }
            }
            return tokens.Length;
        }

        public override void AddMasks(PlanList<uint> masks, ReadOnlySpan<int> drafts)
        {
            int state = _state;
            for (int i = 0; i <= drafts.Length; i++)
            {
                uint[] mask = grammar.MaskOf(state);
                Span<uint> target = masks.Take(mask.Length);
                mask.CopyTo(target);
                if (grammar.Look(state).Accepting)
                {
                    foreach (int token in endTokens)
                    {
                        target[token / 32] |= 1u << (token % 32);
                    }
                }
                state = i < drafts.Length ? grammar.Next(state, drafts[i]) : state;
            }
        }
    }

    private int StartState => automaton.Start;
}
