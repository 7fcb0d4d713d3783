using MmCluster.Engine.Pipeline.Wire;
using MmCluster.Models;

namespace MmCluster.Engine.Pipeline;

/// <summary>
/// A shard that is not the first, on a thread of its own: takes steps from the shard before, computes its layers, hands them on; the last one sends results to the
/// executor. It ends when one of its channels does, and closes the other one then, so that a dead shard is known to all of them.
/// </summary>
/// <remarks>
/// A step that fails, or comes out of order, ends the generation: the shard says so to those behind it, drops what else comes of that generation, and begins the next
/// one with empty slots.
/// </remarks>
public sealed class ShardWorker : IDisposable
{
    private readonly IModelShard _shard;
    private readonly IShardReader _input;
    private readonly IShardWriter _output;
    private readonly PlanReader _plans;
    private readonly StepResult _result = new();
    private readonly Thread _thread;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _generation = -1;
    private long _number;
    private bool _failed;

    /// <summary>Starts it. The shard and both channels are the worker's from here on.</summary>
    public ShardWorker(IModelShard shard, IShardReader input, IShardWriter output)
    {
        if (shard.Spec.HoldsEmbedding)
        {
            throw new ArgumentException("pipeline: the first shard belongs to the executor");
        }
        (_shard, _input, _output) = (shard, input, output);
        _plans = new PlanReader(shard.Describe());
        _thread = new Thread(Loop) { IsBackground = true, Name = $"shard-{shard.Spec.FirstLayer}-{shard.Spec.EndLayer}" };
        _thread.Start();
    }

    /// <summary>Completes when the worker has ended and its shard is disposed; a fault says what broke.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Closes both channels; the thread ends with the step in progress.</summary>
    public void Close()
    {
        _input.Dispose();
        _output.Dispose();
    }

    /// <summary>Closes both channels and waits for the thread: the shard's weights must outlive it.</summary>
    public void Dispose()
    {
        Close();
        _thread.Join();
    }

    private void Loop()
    {
        Exception? reason = null;
        try
        {
            while (true)
            {
                Serve();
            }
        }
        catch (Exception error)
        {
            reason = error;
        }
        _output.Drop();
        Close();
        _shard.Dispose();
        _ended.SetException(reason);
        _ = _ended.Task.Exception; // whoever cares looks at it
    }

    private void Serve()
    {
        ShardFrame frame = _input.Receive();
        bool send = false;
        try
        {
            WireReader source = new(frame.Header.WrittenSpan);
            MessageHead head = MessageHead.Read(ref source);
            if (head.Generation > _generation)
            {
                _shard.Reset();
                (_generation, _number, _failed) = (head.Generation, 0, false);
            }
            if (head.Generation == _generation && !_failed)
            {
                send = Answer(head, source, frame);
            }
        }
        finally
        {
            _input.Release();
        }
        if (send && _input.IsOpen)
        {
            _output.Send();
        }
    }

    // Whether there is something to send.
    private bool Answer(in MessageHead head, WireReader source, ShardFrame frame)
    {
        ShardFrame answer = _output.Begin();
        try
        {
            if (head.Kind == MessageKind.Failure)
            {
                throw FailureCodec.Read(ref source);
            }
            if (head.Kind != MessageKind.Step || head.Number != _number++)
            {
                throw new InvalidOperationException($"pipeline: {head.Kind} {head.Number} came where step {_number - 1} was due");
            }
            return Compute(head, source, frame, answer);
        }
        catch (Exception error)
        {
            _failed = true;
            answer.Clear();
            (head with { Kind = MessageKind.Failure }).Write(answer.Header);
            FailureCodec.Write(answer.Header, MmException.From(error));
            return true;
        }
    }

    // Whether the answer is to be sent: a plan without chunks has no result.
    private bool Compute(in MessageHead head, WireReader source, ShardFrame frame, ShardFrame answer)
    {
        _result.Clear();
        StepPlan plan = _plans.Read(ref source, _result);
        if (frame.RowCount != _plans.RowCount)
        {
            throw WireReader.Bad($"{frame.RowCount} rows for chunks of {_plans.RowCount}");
        }
        if (!_shard.Spec.HoldsHead)
        {
            answer.RowCount = frame.RowCount;
            _shard.Run(plan, frame.TakeRows(), answer.TakeRows(), _result);
            head.Write(answer.Header);
            PlanReader.Write(answer.Header, plan, _result.Failures);
            return true;
        }
        _shard.Run(plan, frame.TakeRows(), output: null, _result);
        if (plan.Chunks.Length == 0)
        {
            return false;
        }
        _result.Step = plan.Step;
        (head with { Kind = MessageKind.Result }).Write(answer.Header);
        ResultCodec.Write(answer.Header, _result);
        return true;
    }
}
