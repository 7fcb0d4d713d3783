using System.Runtime.CompilerServices;
using MmCluster.Models;

namespace MmCluster.Engine.Hosting;

/// <summary>An engine with one stream a request. Safe to call from any thread.</summary>
public sealed class EngineHost : IAsyncDisposable
{
    private readonly IEngine _engine;
    private readonly RequestStreams _streams;

    /// <summary>Takes <paramref name="engine"/>, which it then owns, and becomes the reader of its steps.</summary>
    public EngineHost(IEngine engine)
    {
        _engine = engine;
        _streams = new RequestStreams(engine);
        _streams.Start();
    }

    /// <summary>
    /// Runs one request. Entries of its choices come interleaved; each choice ends with one that has a finish reason. Stopping the enumeration
    /// early, or cancelling, frees the request's work.
    /// </summary>
    /// <param name="request">The request.</param>
    /// <param name="ended">Called once when the engine has let go of the request, or has refused it.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <exception cref="MmException">Refused before the first entry; later failures are entries of finish Error.</exception>
    public async IAsyncEnumerable<SequenceOutput> GenerateAsync(
        EngineRequest request, Action? ended = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        RequestStream stream = Open(request, ended ?? (static () => { }));
        try
        {
            await foreach (SequenceOutput entry in stream.Entries.ReadAllAsync(cancellationToken))
            {
                yield return entry;
            }
        }
        finally
        {
            if (!stream.Ended)
            {
                _engine.Cancel(request.Id);
            }
        }
    }

    /// <summary>Ends all requests with Unavailable and stops the engine.</summary>
    public async ValueTask DisposeAsync()
    {
        await _engine.DisposeAsync();
        await _streams.DisposeAsync();
    }

    private RequestStream Open(EngineRequest request, Action ended)
    {
        RequestStream? stream = null;
        try
        {
            stream = _streams.Open(request.Id, request.Sampling.Choices, ended);
            _engine.Submit(request);
            return stream;
        }
        catch
        {
            if (stream is not null)
            {
                _streams.Abandon(request.Id);
            }
            ended();
            throw;
        }
    }
}
