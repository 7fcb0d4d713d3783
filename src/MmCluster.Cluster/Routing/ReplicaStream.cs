using System.Collections.Concurrent;
using MmCluster.Cluster.Grains;
using MmCluster.Cluster.Wire;
using MmCluster.Engine;
using MmCluster.Models;

namespace MmCluster.Cluster.Routing;

/// <summary>
/// The one long-lived stream between this gateway and a backbone replica: it sorts the batches of steps to the requests that wait for them, and asks again from
/// the last number after a break. When that does not help, the replica is lost and its requests replay elsewhere.
/// </summary>
internal sealed class ReplicaStream : IDisposable
{
    private const int MessagesAhead = 32;

    // Two tries behind a break: a silo that has been killed is not waited for.
    private static readonly TimeSpan[] Pauses = [TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(250)];

    // A silo of the release before this one says nothing before it has something to say.
    private static readonly TimeSpan BeginPatience = TimeSpan.FromSeconds(2);

    private readonly IBackboneGrain _grain;
    private readonly string _session;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<long, Attempt> _attempts = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _ended;
    private int _load;

    public ReplicaStream(IGrainFactory grains, string key, string session, TimeProvider time)
    {
        Key = key;
        _grain = grains.GetGrain<IBackboneGrain>(key);
        _session = session;
        _time = time;
        CancellationToken stop = _stop.Token;
        Ended = Task.Run(() => ReadAsync(stop), CancellationToken.None);
    }

    public string Key { get; }

    /// <summary>Completes when the replica is lost.</summary>
    public Task Ended { get; }

    /// <summary>Cost of this gateway's requests there.</summary>
    public int Load => Volatile.Read(ref _load);

    /// <summary>
    /// Submits <paramref name="message"/> as <paramref name="attempt"/>, once the stream has begun: who answers its next question is then known to be the one that has
    /// the request, or to be another.
    /// </summary>
    /// <exception cref="StageNotPlacedException">The stream has ended.</exception>
    public async Task SubmitAsync(Attempt attempt, GenerationMessage message, CancellationToken cancellationToken)
    {
        _attempts[attempt.Handle] = attempt;
        Interlocked.Add(ref _load, attempt.Cost);
        Task? submitted = null;
        try
        {
            await BegunAsync(cancellationToken);
            if (_ended)
            {
                throw new StageNotPlacedException(Key);
            }
            submitted = _grain.SubmitAsync(message);
            await submitted.WaitAsync(cancellationToken);
            if (_ended)
            {
                attempt.Finish(AttemptEnd.Lost);
            }
        }
        catch
        {
            Forget(attempt);
            if (submitted is { IsCompleted: false })
            {
                // Nobody waits for the answer; whoever gives a good one has it to free.
                _ = submitted.ContinueWith(late => late.IsCompletedSuccessfully ? CancelAsync(attempt) : late, TaskScheduler.Default);
            }
            throw;
        }
    }

    /// <summary>Tells the replica where an item's features are; returns when it has them.</summary>
    public Task SupplyAsync(Attempt attempt, int item, TensorLink.TensorRef features) => _grain.SupplyAsync(_session, attempt.Handle, item, features);

    /// <summary>The session that submissions name.</summary>
    public string Session => _session;

    /// <summary>The request needs it no more; where it has not ended by itself, its work is freed. Completes when it is.</summary>
    public Task CloseAsync(Attempt attempt, bool cancel)
    {
        Forget(attempt);
        Task freed = cancel ? CancelAsync(attempt) : Task.CompletedTask;
        // A stream may end and its replica live; one that is gone is not waited for.
        return _ended ? Task.CompletedTask : freed;
    }

    /// <summary>Ends the stream; the replica is lost to this gateway.</summary>
    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
    }

    private async Task BegunAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _begun.Task.WaitAsync(BeginPatience, _time, cancellationToken);
        }
        catch (TimeoutException)
        {
        }
    }

    private void Forget(Attempt attempt)
    {
        if (_attempts.TryRemove(attempt.Handle, out _))
        {
            Interlocked.Add(ref _load, -attempt.Cost);
        }
    }

    private async Task CancelAsync(Attempt attempt)
    {
        try
        {
            await _grain.CancelAsync(_session, [attempt.Handle]);
        }
        catch (Exception)
        {
            // Who does not hear of it is gone, or gives this gateway's session up when nobody reads it any more.
        }
    }

    private async Task ReadAsync(CancellationToken stop)
    {
        long last = 0;
        for (int failures = 0; failures <= Pauses.Length && !stop.IsCancellationRequested;)
        {
            try
            {
                await foreach (StepBatch batch in _grain.ReadAsync(_session, last, stop).WithBatchSize(MessagesAhead))
                {
                    failures = 0;
                    Deliver(batch);
                    last = batch.Number;
                    _begun.TrySetResult();
                }
                break; // the stage has ended
            }
            catch (Exception error) when (error is OperationCanceledException or StageNotPlacedException or MmException)
            {
                break;
            }
            catch (Exception) when (last == 0 && !_attempts.IsEmpty)
            {
                break; // nothing read would tell whether whoever answers next is the one that has the requests
            }
            catch (Exception)
            {
                if (failures < Pauses.Length)
                {
                    await Task.Delay(Pauses[failures], _time, CancellationToken.None);
                }
                failures++;
            }
        }
        // First, so that a submission on its way either sees it or is seen here.
        _ended = true;
        foreach (Attempt attempt in _attempts.Values)
        {
            attempt.Finish(AttemptEnd.Lost);
        }
        _begun.TrySetResult();
    }

    private void Deliver(StepBatch batch)
    {
        int offset = 0;
        foreach (ref readonly TokenEntry entry in batch.Entries.AsSpan())
        {
            ReadOnlyMemory<int> ids = batch.Ids.AsMemory(offset, entry.Count);
            offset += entry.Count;
            if (!_attempts.TryGetValue(entry.Handle, out Attempt? attempt))
            {
                continue;
            }
            SequenceOutput output = new(attempt.Request, entry.Choice, entry.Sequence, ids, entry.Text ?? "", entry.Finish)
            {
                Usage = entry.Extra?.Usage,
                Error = entry.Extra?.Error,
                Logprobs = entry.Extra?.Logprobs is { } logprobs ? [.. logprobs.Select(list => list.ToLogprobs())] : null,
            };
            if (!attempt.Deliver(output))
            {
                _ = CancelAsync(attempt);
            }
        }
    }
}
