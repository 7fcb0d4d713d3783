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
    private static readonly TimeSpan LeaseTime = TimeSpan.FromSeconds(30);

    private readonly IMediaGenerator _generator;
    private readonly TensorLinkEndpoint _link;
    private readonly TimeProvider _time;
    private readonly StageQueue _queue;
    private readonly ConcurrentDictionary<(string Request, int Item), Job> _jobs = [];
    private readonly ConcurrentDictionary<string, DateTimeOffset> _expiries = [];
    private readonly ITimer _sweep;
    private long _finished;
    private readonly StageTimes _times = new();

    /// <summary>Takes <paramref name="generator"/>.</summary>
    public GeneratorStage(string key, IMediaGenerator generator, int maxQueue, TensorLinkEndpoint link, TimeProvider time)
    {
        _generator = generator;
        _link = link;
        _time = time;
        _queue = new StageQueue($"generator {key}", maxQueue);
        _sweep = time.CreateTimer(_ => Release([.. _expiries.Where(entry => entry.Value <= time.GetUtcNow()).Select(entry => entry.Key)]), null, LeaseTime / 6, LeaseTime / 6);
    }

    public long Bytes => _generator.Bytes;

    public Device Device { get; init; } = Device.Cpu;

    public void Break(MmException reason) => _queue.Close();

    public bool IsIdle => _queue.IsClosed && _queue.Used == 0;

    /// <summary>Begins an item. A second submission of it is ignored.</summary>
    /// <exception cref="MmException">Unavailable: the queue is full, or the stage is drained.</exception>
    public void Submit(GenerateMessage message)
    {
        if (_jobs.ContainsKey((message.Request, message.Item)))
        {
            return;
        }
        int cost = _queue.Enter(1);
        CancellationTokenSource stop = new();
        _expiries[message.Request] = _time.GetUtcNow() + LeaseTime;
        Task<GenerateReply> done = RunAsync(message, cost, stop.Token);
        _jobs[(message.Request, message.Item)] = new Job(done, stop);
        // A fault is told to whoever asks for the result; that nobody does is no defect.
        _ = done.ContinueWith(ended => _ = ended.Exception, TaskScheduler.Default);
    }

    /// <summary>An item, or null while it is not there after <paramref name="patience"/>.</summary>
    /// <exception cref="MmException">Why it could not be made; Unavailable: it is not known here.</exception>
    public async Task<GenerateReply?> ResultAsync(string request, int item, TimeSpan patience)
    {
        if (!_jobs.TryGetValue((request, item), out Job? job))
        {
            throw new MmException(MmErrorCode.Unavailable, $"item {item} of request {request} is not known here; submit it again");
        }
        try
        {
            return await job.Done.WaitAsync(patience, _time);
        }
        catch (TimeoutException) when (!job.Done.IsCompleted)
        {
            return null;
        }
        catch (Exception error)
        {
            throw MmException.From(error);
        }
    }

    /// <summary>Keeps what requests that go on have here.</summary>
    public void Renew(IEnumerable<string> requests)
    {
        foreach (string request in requests.Where(_expiries.ContainsKey))
        {
            _expiries[request] = _time.GetUtcNow() + LeaseTime;
            _link.Renew(request);
        }
    }

    /// <summary>Ends requests: what is being made for them stops, leases end.</summary>
    public void Release(IEnumerable<string> requests)
    {
        foreach (string request in requests.Where(request => _expiries.TryRemove(request, out _)))
        {
            foreach ((string Request, int Item) key in _jobs.Keys.Where(key => key.Request == request))
            {
                if (_jobs.TryRemove(key, out Job? job))
                {
                    job.Stop.Cancel();
                }
            }
            _link.Release(request);
        }
    }

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
        await _sweep.DisposeAsync();
        Release([.. _expiries.Keys]);
        _generator.Dispose();
    }

    private async Task<GenerateReply> RunAsync(GenerateMessage message, int cost, CancellationToken stop)
    {
        long start = _time.GetTimestamp();
        try
        {
            using PulledTensor? hidden = message.Hidden is { } wanted ? await _link.PullAsync(wanted, stop) : null;
            _times.Began(_time.GetElapsedTime(start));
            MediaOutput made = await _generator.GenerateAsync(new GenerationCondition(message.SignalTokens, hidden?.Tensor, message.Seed, message.Item), stop);
            // A lease taken behind the release would last until it expires.
            stop.ThrowIfCancellationRequested();
            TensorRef bytes = _link.Publish(message.Request, [made.Bytes.Length], DType.U8, default, target => made.Bytes.Span.CopyTo(target.AsSpan<byte>()));
            Interlocked.Increment(ref _finished);
            return new GenerateReply(bytes, made.ContentType);
        }
        finally
        {
            _times.Computed(_time.GetElapsedTime(start));
            _queue.Leave(cost);
        }
    }

    private sealed record Job(Task<GenerateReply> Done, CancellationTokenSource Stop);
}
