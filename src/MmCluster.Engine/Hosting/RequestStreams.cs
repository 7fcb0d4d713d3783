using System.Collections.Concurrent;
using System.Threading.Channels;

namespace MmCluster.Engine.Hosting;

/// <summary>Hands the entries of an engine's steps to the requests that wait for them.</summary>
internal sealed class RequestStreams(IEngine engine) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, RequestStream> _streams = [];
    private readonly CancellationTokenSource _stop = new();
    private Task _pump = Task.CompletedTask;

    public void Start() => _pump = Task.Run(PumpAsync);

    /// <summary>Opens a request's stream, before it is submitted.</summary>
    public RequestStream Open(string id, int choices, Action ended)
    {
        RequestStream stream = new(choices, ended);
        return _streams.TryAdd(id, stream)
            ? stream
            : throw new Models.MmException(Models.MmErrorCode.AlreadyExists, $"a request with id '{id}' is in flight");
    }

    /// <summary>Closes a stream whose request was refused.</summary>
    public void Abandon(string id) => _streams.TryRemove(id, out _);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _pump;
        _stop.Dispose();
    }

    private async Task PumpAsync()
    {
        Exception? failure = null;
        try
        {
            await foreach (StepOutputs step in engine.ReadSteps(_stop.Token))
            {
                foreach (SequenceOutput output in step.Outputs)
                {
                    Deliver(output);
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            failure = new Models.MmException(Models.MmErrorCode.Unavailable, "the engine is shutting down");
        }
        catch (Exception error)
        {
            failure = error;
        }
        foreach (RequestStream stream in _streams.Values)
        {
            stream.Break(failure);
        }
    }

    private void Deliver(SequenceOutput output)
    {
        if (_streams.TryGetValue(output.RequestId, out RequestStream? stream)
            // The engine's arrays are ours until the next step only.
            && stream.Take(output with { TokenIds = output.TokenIds.ToArray() }))
        {
            _streams.TryRemove(output.RequestId, out _);
        }
    }
}

/// <summary>Entries of one request.</summary>
internal sealed class RequestStream(int choices, Action ended)
{
    private readonly Channel<SequenceOutput> _entries = Channel.CreateUnbounded<SequenceOutput>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
    private int _unfinished = choices;

    public ChannelReader<SequenceOutput> Entries => _entries.Reader;

    /// <summary>Whether all choices have ended.</summary>
    public bool Ended => _unfinished == 0;

    /// <summary>Takes an entry; true when it was the last.</summary>
    public bool Take(SequenceOutput entry)
    {
        _entries.Writer.TryWrite(entry);
        if (entry.Finish is null || --_unfinished > 0)
        {
            return false;
        }
        _entries.Writer.TryComplete();
        ended();
        return true;
    }

    /// <summary>The engine is gone.</summary>
    public void Break(Exception? failure)
    {
        if (_entries.Writer.TryComplete(failure))
        {
            ended();
        }
    }
}
