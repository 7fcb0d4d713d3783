using MmCluster.Engine.Output;

namespace MmCluster.Engine.Scheduling;

/// <summary>Where a sequence stands.</summary>
internal enum SequenceState
{
    /// <summary>Waits for another choice of its request to compute their prompt.</summary>
    AwaitingFork,

    /// <summary>In the waiting queue.</summary>
    Waiting,

    /// <summary>Waits for media features before anything of it can be computed.</summary>
    Parked,

    /// <summary>Holds a slot.</summary>
    Running,

    /// <summary>Done; holds nothing.</summary>
    Finished,
}

/// <summary>One choice of a request: its tokens, its KV blocks and how far they are computed. Owned by the engine's thread.</summary>
internal sealed class Sequence
{
    private int[] _tokens;
    private int[] _blocks;

    public Sequence(RequestState request, int choice, long arrival, TenantAccount tenant, ReadOnlySpan<int> emitted, int lengthLimit)
    {
        Request = request;
        Choice = choice;
        Arrival = arrival;
        Tenant = tenant;
        LengthLimit = lengthLimit;
        PromptLength = request.Layout.Tokens.Length;
        // Room for the whole output where it is of ordinary size, so that steps need not grow it.
        _tokens = new int[Math.Min(lengthLimit, PromptLength + emitted.Length + 4096)];
        request.Layout.Tokens.CopyTo(_tokens, 0);
        emitted.CopyTo(_tokens.AsSpan(PromptLength));
        Length = PromptLength + emitted.Length;
        EmittedLength = ReportedLength = emitted.Length;
        int blockSize = request.BlockSize;
        _blocks = new int[(_tokens.Length + blockSize) / blockSize];
        Keys = new List<UInt128>(_blocks.Length);
        Keys.AddRange(request.Layout.Keys);
        Node = new LinkedListNode<Sequence>(this);
    }

    public RequestState Request { get; }

    public int Choice { get; }

    /// <summary>Order of arrival over all requests; a preempted sequence keeps its own.</summary>
    public long Arrival { get; }

    public int Priority => Request.Priority;

    public TenantAccount Tenant { get; }

    public SequenceState State { get; set; }

    /// <summary>The slot it holds while running.</summary>
    public int Slot { get; set; }

    /// <summary>Rises whenever its slot is dropped, so that results of older plans are told apart.</summary>
    public int Epoch { get; set; }

    public int PromptLength { get; }

    /// <summary>Tokens known: prompt and output.</summary>
    public int Length { get; private set; }

    /// <summary>No position at or above this one may be filled.</summary>
    public int LengthLimit { get; }

    /// <summary>Output tokens that came with the request.</summary>
    public int EmittedLength { get; }

    /// <summary>Output tokens that outputs have told of.</summary>
    public int ReportedLength { get; set; }

    public int OutputLength => Length - PromptLength;

    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, Length);

    /// <summary>Positions whose KV is computed.</summary>
    public int Computed { get; set; }

    /// <summary>Positions computed or in a plan in flight.</summary>
    public int Planned { get; set; }

    /// <summary>1 while the token behind the known ones is sampled by a plan in flight and the next chunk may hold it already, else 0.</summary>
    public int Foreseen { get; set; }

    /// <summary>Tokens known or foreseen.</summary>
    public int Reach => Length + Foreseen;

    /// <summary>Of those, how many are not yet planned.</summary>
    public int Pending => Reach - Planned;

    /// <summary>Positions found in the prefix cache when it first started; null before that.</summary>
    public int? CachedAtStart { get; set; }

    public ReadOnlySpan<int> Blocks => _blocks.AsSpan(0, BlockCount);

    public int BlockCount { get; private set; }

    /// <summary>Leading blocks that its slot was told of.</summary>
    public int SentBlocks { get; set; }

    /// <summary>The last step that it was planned in.</summary>
    public long LastPlannedStep { get; set; } = -1;

    /// <summary>Keys of its full blocks as far as they were computed.</summary>
    public List<UInt128> Keys { get; }

    /// <summary>Leading blocks that are published or need not be.</summary>
    public int PublishedBlocks { get; set; }

    public bool QueuedForPublishing { get; set; }

    /// <summary>While waiting as a fork: its held blocks end in a partial one that another choice writes to.</summary>
    public bool HoldsForkedPartial { get; set; }

    /// <summary>After a failed step that had it in its plan: it runs alone until it is longer than this.</summary>
    public int? SuspectLength { get; set; }

    /// <summary>First media item that its planned positions have not passed.</summary>
    public int NextMedia { get; set; }

    /// <summary>Its place in its tenant's queue.</summary>
    public LinkedListNode<Sequence> Node { get; }

    /// <summary>Turns its tokens into outputs.</summary>
    public SequenceOutputState Output { get; set; } = null!;

    public void Append(int token)
    {
        if (Length == _tokens.Length)
        {
            Array.Resize(ref _tokens, Math.Min(LengthLimit, 2 * _tokens.Length));
        }
        _tokens[Length++] = token;
    }

    public ReadOnlyMemory<int> TokenMemory() => _tokens.AsMemory(0, Length);

    public void AddBlock(int block)
    {
        if (BlockCount == _blocks.Length)
        {
            Array.Resize(ref _blocks, 2 * _blocks.Length);
        }
        _blocks[BlockCount++] = block;
    }

    public void ReplaceLastBlock(int block) => _blocks[BlockCount - 1] = block;

    /// <summary>Forgets blocks and progress; the caller has released the blocks.</summary>
    public void Restart()
    {
        BlockCount = 0;
        SentBlocks = 0;
        Computed = 0;
        Planned = 0;
        Foreseen = 0;
        PublishedBlocks = 0;
        NextMedia = 0;
        HoldsForkedPartial = false;
        Epoch++;
    }

    /// <summary>Whether this one gives way to <paramref name="other"/> when blocks are short.</summary>
    public bool RanksBehind(Sequence other) =>
        Priority != other.Priority ? Priority > other.Priority : Arrival > other.Arrival;
}
