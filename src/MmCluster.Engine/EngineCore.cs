using MmCluster.Engine.Output;
using MmCluster.Engine.Scheduling;
using MmCluster.Models;

namespace MmCluster.Engine;

/// <summary>
/// The engine without its thread: admit, choose, run, commit. Everything but <see cref="Prepare"/> belongs to one caller at a time, so a test or a
/// simulation drives it step by step in its own time.
/// </summary>
internal sealed class EngineCore
{
    private readonly IModelExecutor _executor;
    private readonly TimeProvider _time;
    private readonly Dictionary<string, RequestState> _requests = [];
    private readonly PriorityQueue<RequestState, DateTimeOffset> _deadlines = new();
    private readonly Queue<StepBuilder> _inFlight = new();
    private readonly Stack<StepBuilder> _spare = new();
    private readonly StepResult _result = new();
    private long _step;
    private long _arrivals;

    public EngineCore(IModelExecutor executor, EngineOptions options, TimeProvider time)
    {
        _executor = executor;
        _time = time;
        Options = options;
        Model = executor.Describe();
        Scheduler = new Scheduler(Model, options);
        MaxLength = Math.Min(
            Math.Min(Model.MaxModelLength, options.MaxModelLength ?? int.MaxValue),
            (int)Math.Min(int.MaxValue, (long)Model.BlockCount * Model.BlockSize));
        for (int i = 0; i <= Model.PipelineDepth; i++)
        {
            _spare.Push(new StepBuilder());
        }
    }

    public EngineOptions Options { get; }

    public ExecutorDescription Model { get; }

    public Scheduler Scheduler { get; }

    /// <summary>Longest sequence, prompt and output together.</summary>
    public int MaxLength { get; }

    public int RequestCount => _requests.Count;

    public EngineStatistics Statistics { get; } = new();

    /// <summary>Called with each request that ended, before its last output is read.</summary>
    public Action<string>? Ended { get; set; }

    /// <summary>Called, maybe on another thread, when a request's media became ready or failed; the callee brings it to <see cref="MediaChanged"/>.</summary>
    public Action<RequestState>? MediaSettled { get; set; }

    /// <summary>Checks a request and lays it out. Safe to call from any thread.</summary>
    public RequestState Prepare(EngineRequest request) => RequestChecks.Prepare(request, Model, Options, Scheduler.MaxTokens, MaxLength);

    /// <summary>Takes a prepared request in.</summary>
    public void Add(RequestState request, StepOutputs outputs)
    {
        EngineRequest source = request.Request;
        _requests.Add(source.Id, request);
        if (source.Deadline is { } deadline)
        {
            _deadlines.Enqueue(request, deadline);
        }
        int choices = source.Sampling.Choices;
        int lengthLimit = Math.Min(
            MaxLength, (int)Math.Min(int.MaxValue, (long)request.Layout.Tokens.Length + (source.Sampling.MaxTokens ?? int.MaxValue)));
        request.Sequences = new Sequence[choices];
        request.Unfinished = choices;
        request.WaitsSince = Options.Timings is null ? null : _time.GetTimestamp();
        for (int choice = 0; choice < choices; choice++)
        {
            ReadOnlySpan<int> emitted = choice < source.Emitted.Count ? source.Emitted[choice].Span : [];
            Sequence sequence = new(request, choice, _arrivals++, Scheduler.Waiting.Enter(source.Tenant), emitted, lengthLimit)
            {
                Output = new SequenceOutputState(source.Sampling, Options, request.Grammar, request.Layout.Tokens.Length, lengthLimit),
            };
            request.Sequences[choice] = sequence;
        }
        Statistics.PromptTokens += request.Layout.PromptTokens;
        foreach (Sequence sequence in request.Sequences)
        {
            if (sequence.EmittedLength > 0 && sequence.Output.Replay(sequence.Tokens[sequence.PromptLength..]) is not null)
            {
                Close(sequence, outputs, error: null);
            }
            else if (sequence.Choice == 0 || source.Emitted.Count > 0)
            {
                Scheduler.Enqueue(sequence);
            }
        }
        WatchMedia(request);
    }

    /// <summary>Ends a request from outside; an unknown id is ignored.</summary>
    public void Cancel(string id, StepOutputs outputs)
    {
        if (_requests.TryGetValue(id, out RequestState? request))
        {
            End(request, FinishReason.Cancelled, error: null, outputs);
        }
    }

    /// <summary>Ends all requests, as when the engine stops.</summary>
    public void EndAll(MmException error, StepOutputs outputs)
    {
        foreach (RequestState request in _requests.Values.ToArray())
        {
            End(request, FinishReason.Error, error, outputs);
        }
    }

    /// <summary>Media of a request became ready, or failed it.</summary>
    public void MediaChanged(RequestState request, StepOutputs outputs)
    {
        foreach (PromptMedia media in request.Layout.Media.Concat(request.Layout.EncoderMedia))
        {
            if (media.Features.IsFaulted || media.Features.IsCanceled)
            {
                Exception cause = media.Features.Exception?.InnerException ?? new OperationCanceledException("the media's encoding was cancelled");
                End(request, FinishReason.Error, MmException.From(cause), outputs);
                return;
            }
        }
        foreach (Sequence sequence in request.Sequences)
        {
            Scheduler.Unpark(sequence);
        }
    }

    /// <summary>When the next deadline is due, or null.</summary>
    public DateTimeOffset? NextDeadline() => _deadlines.TryPeek(out _, out DateTimeOffset due) ? due : null;

    /// <summary>Ends the requests whose deadline has passed.</summary>
    public void ExpireDeadlines(StepOutputs outputs)
    {
        if (_deadlines.Count == 0)
        {
            return;
        }
        DateTimeOffset now = _time.GetUtcNow();
        while (NextDeadline() is { } due && due <= now)
        {
            RequestState request = _deadlines.Dequeue();
            End(request, FinishReason.Cancelled, new MmException(MmErrorCode.DeadlineExceeded, $"request '{request.Request.Id}' reached its deadline"), outputs);
        }
    }

    /// <summary>Chooses, runs and commits one step. False when there was nothing to do and nothing is in flight.</summary>
    public bool Step(StepOutputs outputs)
    {
        StepBuilder next = _spare.Pop();
        bool idle = _inFlight.Count == 0;
        if (!Scheduler.Choose(next, _step, idle, Answered) && idle)
        {
            _spare.Push(next);
            Statistics.Update(Scheduler);
            return false;
        }
        long start = Options.Timings is null ? 0 : _time.GetTimestamp();
        if (next.Chunks.Count > 0)
        {
            NoteBeginnings(next, start);
            _inFlight.Enqueue(next);
        }
        else
        {
            _spare.Push(next);
        }
        try
        {
            Run(next);
        }
        catch (Exception failure)
        {
            Recover(failure, outputs);
            return true;
        }
        if (_result.Step is not null)
        {
            StepBuilder done = _inFlight.Dequeue();
            Commit(done, outputs);
            _spare.Push(done);
            Options.Timings?.Computed(_time.GetElapsedTime(start));
        }
        Statistics.Update(Scheduler);
        return true;
    }

    // The step whose result the next call gives, where its tokens may be built upon before they are known.
    private long? Answered =>
        Model.RunsAhead && _inFlight.Count > 0 && _inFlight.Count == Model.PipelineDepth - 1 ? _inFlight.Peek().Step : null;

    private void NoteBeginnings(StepBuilder step, long now)
    {
        if (Options.Timings is not { } timings)
        {
            return;
        }
        foreach (ref readonly PlannedChunk chunk in step.Planned.Span)
        {
            if (chunk.Sequence.Request is { WaitsSince: { } since } request)
            {
                request.WaitsSince = null;
                timings.Began(_time.GetElapsedTime(since, now));
            }
        }
    }

    private void Run(StepBuilder step)
    {
        _result.Clear();
        StepPlan plan = step.Plan;
        _step++;
        _executor.Execute(in plan, _result);
        if (_result.Step is { } answered && (_inFlight.Count == 0 || _inFlight.Peek().Step != answered))
        {
            throw new InvalidOperationException($"the executor answered step {answered} out of order");
        }
        if (_result.Step is null && _inFlight.Count >= Model.PipelineDepth)
        {
            throw new InvalidOperationException($"the executor has {_inFlight.Count} plans and answered none");
        }
    }

    private void Commit(StepBuilder step, StepOutputs outputs)
    {
        outputs.Step = step.Step;
        int sampled = 0;
        foreach (ref readonly PlannedChunk chunk in step.Planned.Span)
        {
            SampledChunk answer = chunk.Sample ? _result.Chunks[sampled++] : default;
            if (chunk.Sequence.Epoch == chunk.Epoch && chunk.Sequence.State == SequenceState.Running)
            {
                CommitAlone(chunk, answer, outputs);
            }
            else
            {
                Statistics.DiscardedTokens += chunk.Count;
            }
        }
        Statistics.Steps++;
        Statistics.ComputedTokens += step.Tokens;
        Scheduler.EndCommit();
    }

    // What goes wrong with one sequence's output, such as its decoding, ends its request and no other.
    private void CommitAlone(in PlannedChunk chunk, SampledChunk answer, StepOutputs outputs)
    {
        try
        {
            Commit(chunk, answer, outputs);
        }
        catch (Exception defect)
        {
            End(chunk.Sequence.Request, FinishReason.Error, new MmException(MmErrorCode.Internal, $"the output failed: {defect.Message}", defect), outputs);
        }
    }

    private void Commit(in PlannedChunk chunk, SampledChunk answer, StepOutputs outputs)
    {
        Sequence sequence = chunk.Sequence;
        foreach (SlotFailure failure in _result.Failures)
        {
            if (failure.Slot == chunk.Slot)
            {
                End(sequence.Request, FinishReason.Error, failure.Error, outputs);
                return;
            }
        }
        Scheduler.Advance(chunk, answer.TokenCount);
        if (!chunk.Sample)
        {
            return;
        }
        int taken = 0;
        FinishReason? finish = null;
        while (taken < answer.TokenCount && finish is null)
        {
            int token = _result.Tokens[answer.TokenOffset + taken++].Id;
            sequence.Append(token);
            finish = sequence.Output.Accept(token);
        }
        Statistics.GenerationTokens += taken;
        if (sequence.OutputLength == taken && sequence.Request.Sequences.Length > 1)
        {
            Scheduler.ReleaseForks(sequence);
        }
        OutputWriter.Add(outputs, sequence, taken, _result, answer.TokenOffset);
        if (finish is not null)
        {
            Leave(sequence);
        }
    }

    // The slots are gone. Whoever was in a plan in flight is suspected and runs alone for a while; a request that fails alone is at fault.
    private void Recover(Exception failure, StepOutputs outputs)
    {
        HashSet<Sequence> involved = [];
        while (_inFlight.TryDequeue(out StepBuilder? step))
        {
            foreach (PlannedChunk chunk in step.Planned.Span)
            {
                if (chunk.Sequence.State == SequenceState.Running)
                {
                    involved.Add(chunk.Sequence);
                }
            }
            _spare.Push(step);
        }
        Statistics.FailedSteps++;
        Scheduler.Reset();
        foreach (RequestState request in involved.Select(sequence => sequence.Request).Distinct().ToArray())
        {
            bool alone = involved.Count == 1 && involved.First().SuspectLength is not null;
            if (alone)
            {
                End(request, FinishReason.Error, MmException.From(failure), outputs);
            }
            else if (++request.Replays > Options.MaxReplays)
            {
                End(request, FinishReason.Error, new MmException(
                    MmErrorCode.Unavailable, $"gave up after {Options.MaxReplays} replays: {failure.Message}", failure), outputs);
            }
        }
        foreach (Sequence sequence in involved.Where(sequence => sequence.State != SequenceState.Finished))
        {
            Scheduler.Quarantine.Add(sequence);
        }
    }

    private void End(RequestState request, FinishReason reason, MmException? error, StepOutputs outputs)
    {
        foreach (Sequence sequence in request.Sequences)
        {
            if (sequence.State != SequenceState.Finished)
            {
                sequence.Output.End(reason);
                Close(sequence, outputs, error);
            }
        }
    }

    private void Close(Sequence sequence, StepOutputs outputs, MmException? error)
    {
        OutputWriter.AddEnd(outputs, sequence, error);
        Leave(sequence);
    }

    private void Leave(Sequence sequence)
    {
        Scheduler.Finish(sequence);
        RequestState request = sequence.Request;
        if (--request.Unfinished == 0)
        {
            _requests.Remove(request.Request.Id);
            if (request.Request.Deadline is not null)
            {
                // Now rather than when it is due, or its prompt and media would stay in memory until then.
                _deadlines.Remove(request, out _, out _);
            }
            Statistics.Count(sequence.Output.Finish);
            Ended?.Invoke(request.Request.Id);
        }
    }

    private void WatchMedia(RequestState request)
    {
        foreach (PromptMedia media in request.Layout.Media.Concat(request.Layout.EncoderMedia))
        {
            if (!media.Features.IsCompletedSuccessfully)
            {
                media.Features.GetAwaiter().UnsafeOnCompleted(() => MediaSettled?.Invoke(request));
            }
        }
    }
}
