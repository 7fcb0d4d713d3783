namespace MmCluster.Tensors.Cpu.Attention;

/// <summary>What attention over blocks of 16 positions reads and writes; plain data, shared by all tasks.</summary>
internal unsafe struct AttentionArguments
{
    internal const int BlockSize = PagedKv.BlockSize;

    /// <summary>Rows (tokens times heads of a group) that share a pass over the blocks.</summary>
    internal const int TaskRows = 16;

    // A query's row is Q + sequence * QSequence + (first token + token) * QToken + head * QHead; outputs likewise.
    internal float* Q;
    internal long QSequence;
    internal long QToken;
    internal long QHead;
    internal float* Y;
    internal long YSequence;
    internal long YToken;
    internal long YHead;

    internal KvView Kv;

    internal int Sequences;
    internal int Heads;
    internal float Scale;
    internal float SoftCap; // 0: none
    internal int Window; // int.MaxValue: all
    internal bool Causal;
    internal float* AlibiSlopes;
    internal float* DistanceBias; // [heads, DistanceCount], or null
    internal int DistanceCount;

    internal int* QueryStarts; // null: every sequence has QueryLength tokens
    internal int QueryLength;
    internal int* SequenceLengths; // null: every sequence has KeyLength positions
    internal int KeyLength;
    internal int* BlockTables; // null: sequence s has blocks s * TableStep ...
    internal int TableStep;
    internal int* VisibleEnds;
    internal int* VisibleStarts;
    internal bool QueriesAreLast; // else query i stands at position i

    internal byte* Mask; // true where visible, or null
    internal float* Bias; // added to scores, or null
    internal Strides MaskStrides; // of [sequence, head, query, key]
    internal Strides BiasStrides;

    internal int* TaskStarts; // [sequences + 1] tasks before each sequence

    internal readonly int Group => Heads / Kv.Heads;

    internal readonly int TokensATask => Math.Max(1, TaskRows / Group);

    internal readonly int Queries(int sequence) => QueryStarts == null ? QueryLength : QueryStarts[sequence + 1] - QueryStarts[sequence];

    internal readonly int Keys(int sequence) => SequenceLengths == null ? KeyLength : SequenceLengths[sequence];

    internal readonly int FirstToken(int sequence) => QueryStarts == null ? 0 : QueryStarts[sequence];

    internal readonly int Position(int sequence, int token) =>
        QueriesAreLast ? Keys(sequence) - Queries(sequence) + token : token;

    /// <summary>Positions [first, end) that a token sees.</summary>
    internal readonly void Visible(int sequence, int token, out int first, out int end)
    {
        int position = Position(sequence, token);
        end = VisibleEnds != null ? VisibleEnds[FirstToken(sequence) + token] : Causal ? position + 1 : int.MaxValue;
        end = Math.Min(end, Keys(sequence));
        first = Window == int.MaxValue ? 0 : Math.Max(0, position - Window + 1);
        first = VisibleStarts != null ? Math.Max(first, VisibleStarts[FirstToken(sequence) + token]) : first;
    }

    internal readonly byte* Block(int sequence, int kvHead, int block)
    {
        long index = BlockTables == null ? ((long)sequence * TableStep) + block : BlockTables[((long)sequence * TableStep) + block];
        return Kv.Keys(index, kvHead);
    }

    /// <summary>Counts tasks into <see cref="TaskStarts"/>; a task is some tokens of one sequence and one kv head.</summary>
    internal readonly int CountTasks()
    {
        int total = 0;
        for (int s = 0; s < Sequences; s++)
        {
            TaskStarts[s] = total;
            total = checked(total + ((Queries(s) + TokensATask - 1) / TokensATask * Kv.Heads));
        }

        TaskStarts[Sequences] = total;
        return total;
    }

    internal readonly void Task(int task, out int sequence, out int kvHead, out int token)
    {
        int low = 0;
        int high = Sequences - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (TaskStarts[middle] <= task)
            {
                low = middle;
            }
            else
            {
                high = middle - 1;
            }
        }

        sequence = low;
        (int tile, kvHead) = Math.DivRem(task - TaskStarts[low], Kv.Heads);
        token = tile * TokensATask;
    }
}
