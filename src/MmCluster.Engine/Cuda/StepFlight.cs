using MmCluster.Engine.Cpu;
using MmCluster.Models;
using MmCluster.Tensors.Cuda;

namespace MmCluster.Engine.Cuda;

/// <summary>A step that the GPU works on, and where its tokens will be. Reused.</summary>
internal sealed unsafe class StepFlight(CudaContext context, int maxTop) : ISlotFailures, IDisposable
{
    private readonly CudaEvent _done = new(context);
    private readonly List<Job> _jobs = [];
    private readonly List<SlotFailure> _failures = [];
    private PinnedBuffer? _results;
    private int _rows;

    public long Step { get; private set; }

    public void Begin(long step)
    {
        Step = step;
        _jobs.Clear();
        _failures.Clear();
    }

    /// <summary>Notes a sampled sequence, in the order of the jobs.</summary>
    public void Add(CpuSlot slot, int row, int drafts) => _jobs.Add(new Job(slot, row, drafts));

    /// <summary>Notes that a slot's own input is at fault.</summary>
    public void Fail(int slot, MmException error) => _failures.Add(new SlotFailure(slot, error));

    /// <summary>Fetches what the step samples, behind what is on the stream.</summary>
    public void Fetch(CudaStream stream, SampleOutputs? outputs)
    {
        if (outputs is null)
        {
            _jobs.Clear(); // another shard samples them
        }
        else if (_jobs.Count > 0)
        {
            bool logprobs = WantsLogprobs();
            _rows = outputs.Rows;
            long bytes = outputs.Bytes(logprobs);
            if (_results is null || _results.Bytes < bytes)
            {
                _results?.Dispose();
                _results = new PinnedBuffer(context, bytes);
            }
            outputs.Download(stream, _results, logprobs);
        }
        _done.Record(stream);
    }

    /// <summary>Waits for the step and writes its tokens to <paramref name="result"/> and to the slots' histories.</summary>
    public void Collect(StepResult result)
    {
        _done.Synchronize();
        result.Step = Step;
        foreach (SlotFailure failure in _failures)
        {
            result.Fail(failure.Slot, failure.Error);
        }
        for (int i = 0; i < _jobs.Count; i++)
        {
            Collect(_jobs[i], _results!.Span<int>(sizeof(int) * (long)_rows, _rows)[i], result);
        }
    }

    public void Dispose()
    {
        _done.Dispose();
        _results?.Dispose();
    }

    private bool WantsLogprobs()
    {
        foreach (Job job in _jobs)
        {
            if (job.Slot.Start.Sampling.Logprobs is not null)
            {
                return true;
            }
        }
        return false;
    }

    private void Collect(in Job job, int count, StepResult result)
    {
        int slot = job.Slot.Start.Slot;
        result.BeginChunk(slot);
        if (count < 0)
        {
            result.Fail(slot, new MmException(
                MmErrorCode.Internal, count == -1 ? "the logits hold NaN" : "no token can be drawn: all logits are infinite or masked"));
            return;
        }
        ReadOnlySpan<int> tokens = _results!.Span<int>(0, _rows).Slice(job.Row, count);
        for (int i = 0; i < count; i++)
        {
            if (job.Slot.Start.Sampling.Logprobs is { } alternatives)
            {
                AddWithLogprobs(tokens[i], job.Row + i, alternatives, result);
            }
            else
            {
                result.Add(tokens[i]);
            }
            job.Slot.Append(tokens[i]);
        }
    }

    private void AddWithLogprobs(int token, int row, int alternatives, StepResult result)
    {
        ReadOnlySpan<float> chosen = _results!.Span<float>(2L * sizeof(int) * _rows, _rows);
        long top = 3L * sizeof(int) * _rows;
        ReadOnlySpan<int> ids = _results.Span<int>(top, _rows * maxTop).Slice(row * maxTop, alternatives);
        ReadOnlySpan<float> values = _results.Span<float>(top + ((long)sizeof(int) * _rows * maxTop), _rows * maxTop).Slice(row * maxTop, alternatives);
        Span<TokenLogprob> best = stackalloc TokenLogprob[alternatives];
        for (int i = 0; i < alternatives; i++)
        {
            best[i] = new TokenLogprob(ids[i], values[i]);
        }
        result.Add(token, chosen[row], best);
    }

    private readonly record struct Job(CpuSlot Slot, int Row, int Drafts);
}
