using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Engine.Simulation;

namespace MmCluster.Gateway.Models;

/// <summary>
/// A model without weights: the real scheduler over an executor that only takes the time that a profile says. For trying routing, limits and
/// clients at full load. A text prompt is one token a byte.
/// </summary>
public sealed class SimulatedServedModel : IServedModel, IAsyncDisposable
{
    private readonly EngineHost _host;

    /// <summary>Starts the engine.</summary>
    public SimulatedServedModel(string id, SimulationProfile profile, EngineOptions options, TimeProvider time)
    {
        Id = id;
        var engine = new Engine.Engine(new SimulatedExecutor(profile, time), options, time);
        _host = new EngineHost(engine);
        Statistics = engine.Statistics;
        Info = new ServedModelInfo(time.GetUtcNow(), engine.MaxLength, profile.VocabularySize);
    }

    /// <inheritdoc/>
    public string Id { get; }

    /// <inheritdoc/>
    public ServedModelInfo Info { get; }

    /// <inheritdoc/>
    public bool Ready => true;

    /// <inheritdoc/>
    public SamplingParameters DefaultSampling { get; } = new();

    /// <inheritdoc/>
    public EngineStatistics Statistics { get; }

    /// <inheritdoc/>
    public string TokenText(int token) => TokenIdText.Of(token);

    /// <inheritdoc/>
    public IAsyncEnumerable<SequenceOutput> GenerateAsync(ModelRequest request, CancellationToken cancellationToken) => _host.GenerateAsync(
        new EngineRequest
        {
            Id = request.Id,
            Prompt = [new PromptPiece.Tokens(BytePrompt.Of(request.Input))],
            Sampling = request.Sampling,
            Tenant = request.Tenant,
            CacheSalt = request.CacheSalt,
            Priority = request.Priority,
            Deadline = request.Deadline,
        },
        cancellationToken: cancellationToken);

    /// <summary>Stops the engine.</summary>
    public ValueTask DisposeAsync() => _host.DisposeAsync();
}
