using System.Collections.Concurrent;
using MmCluster.Cluster.Status;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.Wire;
using MmCluster.Engine;
using MmCluster.Engine.Generation;
using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Stages;

/// <summary>A generator replica: makes media from what language models ask for, and leases the files. Safe to call from any thread.</summary>
internal sealed class GeneratorStage : IStage
{
    private readonly IMediaGenerator _generator;
    private readonly TensorLinkEndpoint _link;
    private readonly TimeProvider _time;
    private readonly StageQueue _queue;
    private readonly RequestJobs<GeneratorJob> _jobs;
    private readonly ConcurrentDictionary<GeneratorJob, bool> _running = [];
    private long _finished;
    private readonly StageTimes _times = new();

    /// <summary>Takes <paramref name="generator"/>.</summary>
    public GeneratorStage(string key, IMediaGenerator generator, int maxQueue, TensorLinkEndpoint link, TimeProvider time)
    {
        _generator = generator;
        _link = link;
        _time = time;
        _queue = new StageQueue($"generator {key}", maxQueue);
        _jobs = new RequestJobs<GeneratorJob>(link, time);
    }

    public long Bytes => _generator.Bytes;

    public void Break(MmException reason) => _queue.Close();

    public bool IsIdle => _queue.IsClosed && _queue.Used == 0;

    /// <summary>Begins an item. A second submission of it is ignored.</summary>
    /// <exception cref="MmException">Unavailable: the queue is full, or the stage is drained.</exception>
    public void Submit(GenerateMessage message)
    {
        if (_jobs.Has(message.Request, message.Item))
        {
            return;
        }
        int cost = _queue.Enter(1);
        GeneratorJob job = new(message.TellSteps);
        job.Done = RunAsync(message, cost, job);
        _running[job] = true;
        _jobs.Add(message.Request, message.Item, job, message.Origin);
        // A fault is told to whoever asks for the result; that nobody does is no defect.
        _ = job.Done.ContinueWith(
            ended =>
            {
                _ = ended.Exception;
                _running.TryRemove(job, out _);
            },
            TaskScheduler.Default);
    }

    /// <summary>An item, the next step of it where its message asked for them, or null while there is neither after <paramref name="patience"/>.</summary>
    /// <exception cref="MmException">Why it could not be made; Unavailable: it is not known here.</exception>
    public Task<GenerateReply?> ResultAsync(string request, int item, TimeSpan patience) => _jobs.ResultAsync(request, item, job => job.NextAsync(), patience);

    /// <summary>Keeps what requests that go on have here.</summary>
    public void Renew(IEnumerable<string> requests) => _jobs.Renew(requests);

    /// <summary>Ends requests: what is being made for them stops, leases end.</summary>
    public void Release(IEnumerable<string> requests) => _jobs.Release(requests);

    public StageView Describe(StageView view) => view with
    {
        Status = view.Status with
        {
            State = _queue.IsClosed ? StageState.Draining : StageState.Ready,
            Load = _times.Describe(new StageLoad
            {
                Running = _queue.Used,
                QueueUsed = _queue.Used,
                QueueLimit = _queue.Limit,
                Finished = Interlocked.Read(ref _finished),
            }),
        },
    };

    public void Drain() => _queue.Close();

    public async ValueTask DisposeAsync()
    {
        _queue.Close();
        await _jobs.DisposeAsync();
        foreach (GeneratorJob job in _running.Keys)
        {
            // Told to stop; the generator must outlive it.
            await job.Done.ContinueWith(static ended => _ = ended.Exception, TaskScheduler.Default);
        }
        _generator.Dispose();
    }

    private async Task<GenerateReply> RunAsync(GenerateMessage message, int cost, GeneratorJob job)
    {
        CancellationToken stop = job.Stopping;
        long start = _time.GetTimestamp();
        try
        {
            using PulledTensor? hidden = message.Hidden is { } wanted ? await _link.PullAsync(wanted, stop) : null;
            _times.Began(_time.GetElapsedTime(start));
            MediaOutput made = await _generator.GenerateAsync(new GenerationCondition(message.SignalTokens, hidden?.Tensor, message.Seed, message.Item), job, stop);
            TensorRef bytes = job.Lease(() => _link.Publish(message.Request, [made.Bytes.Length], DType.U8, default, target => made.Bytes.Span.CopyTo(target.AsSpan<byte>())));
            Interlocked.Increment(ref _finished);
            return new GenerateReply(bytes, made.ContentType);
        }
        finally
        {
            _times.Computed(_time.GetElapsedTime(start));
            _queue.Leave(cost);
        }
    }
}
