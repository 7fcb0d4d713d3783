using MmCluster.Engine.Pipeline.Wire;
using MmCluster.Models;

namespace MmCluster.Engine.Pipeline;

/// <summary>
/// An executor over shards that each have some of a network's layers. It runs the first shard itself, on its caller's thread, and keeps as many plans in flight as there
/// are shards, so that each of them computes another micro-batch at the same time. design/007-pipeline.md tells the protocol.
/// </summary>
/// <remarks>
/// After an exception of <see cref="Execute"/> all shards begin a new generation with empty slots, unless a channel broke: then the executor is of no more use, and every
/// later call says Unavailable.
/// </remarks>
public sealed class PipelineExecutor : IModelExecutor
{
    private readonly IModelShard _first;
    private readonly IShardWriter _next;
    private readonly IShardReader _results;
    private readonly IReadOnlyList<IDisposable> _rest;
    private readonly ExecutorDescription _description;
    private readonly Queue<long> _inFlight = new();
    private readonly StepResult _own = new();
    private readonly TaskCompletionSource _lost = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _generation;
    private long _number;

    /// <summary>Creates an executor; shard, channels and <paramref name="rest"/> are its own from here on.</summary>
    /// <param name="first">The shard with the embedding.</param>
    /// <param name="next">To the second shard.</param>
    /// <param name="results">From the last shard; it must hold 2 messages a shard.</param>
    /// <param name="others">What the other shards can hold, in order.</param>
    /// <param name="rest">Disposed with the executor, behind its channels.</param>
    /// <exception cref="ArgumentException">The shards do not belong together.</exception>
    public PipelineExecutor(
        IModelShard first, IShardWriter next, IShardReader results, IReadOnlyList<ExecutorDescription> others, params IReadOnlyList<IDisposable> rest)
    {
        if (!first.Spec.HoldsEmbedding || first.Spec.HoldsHead || others.Count == 0)
        {
            throw new ArgumentException($"pipeline: layers {first.Spec.FirstLayer} to {first.Spec.EndLayer} of {first.Spec.LayerCount} and {others.Count} shards behind them");
        }
        (_first, _next, _results, _rest) = (first, next, results, rest);
        _description = Join(first.Describe(), others);
    }

    /// <summary>Completes when a channel is closed or broken, before the call that found it so throws: the executor is of no more use then.</summary>
    public Task Lost => _lost.Task;

    /// <inheritdoc/>
    public ExecutorDescription Describe() => _description;

    /// <summary>What shards can hold together: the least of each. Plans in flight are as many as shards.</summary>
    /// <exception cref="ArgumentException">They are of different models or KV formats.</exception>
    public static ExecutorDescription Join(ExecutorDescription first, IReadOnlyList<ExecutorDescription> others)
    {
        ExecutorDescription joined = first;
        foreach (ExecutorDescription other in others)
        {
            if ((other.VocabularySize, other.BlockSize, other.Kind, other.KvFormat) != (first.VocabularySize, first.BlockSize, first.Kind, first.KvFormat))
            {
                throw new ArgumentException($"pipeline: shards of different networks: {first} and {other}");
            }
            joined = joined with
            {
                MaxModelLength = Math.Min(joined.MaxModelLength, other.MaxModelLength),
                BlockCount = Math.Min(joined.BlockCount, other.BlockCount),
                BlockBytes = Math.Max(joined.BlockBytes, other.BlockBytes),
                MaxSlots = Math.Min(joined.MaxSlots, other.MaxSlots),
                MaxBatchedTokens = Math.Min(joined.MaxBatchedTokens, other.MaxBatchedTokens),
            };
        }
        // The first shard embeds what the last one sampled: it must be told.
        return joined with { PipelineDepth = others.Count + 1, RunsAhead = false };
    }

    /// <inheritdoc/>
    public void Execute(in StepPlan plan, StepResult result)
    {
        result.Clear();
        try
        {
            if (plan.Chunks.Length + plan.Ends.Length + plan.Starts.Length + plan.Copies.Length > 0)
            {
                Send(plan);
            }
            if (_inFlight.Count == _description.PipelineDepth || (plan.Chunks.Length == 0 && _inFlight.Count > 0))
            {
                Take(result);
                _first.Append(result);
            }
        }
        catch
        {
            _first.Reset();
            _inFlight.Clear();
            _generation++;
            _number = 0;
            throw;
        }
    }

    /// <summary>Closes the channels, so that a step in progress fails: for who learns that a shard is gone. Any thread may call it.</summary>
    public void Break()
    {
        _lost.TrySetResult();
        _next.Dispose();
        _results.Dispose();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Break();
        _next.Drop();
        foreach (IDisposable part in _rest)
        {
            part.Dispose();
        }
        _first.Dispose();
    }

    private void Send(in StepPlan plan)
    {
        ShardFrame frame = Begin();
        foreach (ref readonly SlotChunk chunk in plan.Chunks.Span)
        {
            frame.RowCount += chunk.Count;
        }
        _own.Clear();
        _first.Run(plan, input: null, frame.TakeRows(), _own);
        new MessageHead(MessageKind.Step, _generation, _number++).Write(frame.Header);
        PlanReader.Write(frame.Header, plan, _own.Failures);
        try
        {
            _next.Send();
        }
        catch
        {
            _lost.TrySetResult();
            throw;
        }
        if (plan.Chunks.Length > 0)
        {
            _inFlight.Enqueue(plan.Step);
        }
    }

    private ShardFrame Begin()
    {
        try
        {
            return _next.Begin();
        }
        catch
        {
            _lost.TrySetResult();
            throw;
        }
    }

    private ShardFrame Receive()
    {
        try
        {
            return _results.Receive();
        }
        catch
        {
            _lost.TrySetResult();
            throw;
        }
    }

    private void Take(StepResult result)
    {
        while (!TryTake(result))
        {
            // What is left of a generation that has failed.
        }
        long due = _inFlight.Dequeue();
        if (result.Step != due)
        {
            throw new MmException(MmErrorCode.Internal, $"pipeline: step {result.Step} was answered where {due} was due");
        }
    }

    private bool TryTake(StepResult result)
    {
        ShardFrame frame = Receive();
        try
        {
            WireReader source = new(frame.Header.WrittenSpan);
            MessageHead head = MessageHead.Read(ref source);
            if (head.Generation != _generation)
            {
                return false;
            }
            if (head.Kind == MessageKind.Failure)
            {
                throw FailureCodec.Read(ref source);
            }
            ResultCodec.Read(ref source, _description, result);
            return true;
        }
        finally
        {
            _results.Release();
        }
    }
}
