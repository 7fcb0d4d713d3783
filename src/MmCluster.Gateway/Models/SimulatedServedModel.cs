using System.Text;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Engine.Simulation;
using MmCluster.Models;

namespace MmCluster.Gateway.Models;

/// <summary>
/// A model without weights: the real scheduler over an executor that only takes the time that a profile says. For trying routing, limits and
/// clients at full load. A text prompt is one token a byte.
/// </summary>
public sealed class SimulatedServedModel : IServedModel, IAsyncDisposable
{
    private const int FirstByteToken = 3;

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
            Prompt = [new PromptPiece.Tokens(Tokens(request.Input))],
            Sampling = request.Sampling,
            Tenant = request.Tenant,
            CacheSalt = request.CacheSalt,
            Priority = request.Priority,
            Deadline = request.Deadline,
        },
        cancellationToken: cancellationToken);

    /// <summary>Stops the engine.</summary>
    public ValueTask DisposeAsync() => _host.DisposeAsync();

    private static ReadOnlyMemory<int> Tokens(ModelInput input) => input switch
    {
        ModelInput.Tokens tokens => tokens.Ids,
        ModelInput.Text text => Bytes(text.Prompt),
        ModelInput.Chat chat => Bytes(string.Join('\n', chat.Turns.SelectMany(turn => turn.Parts).Select(Text))),
        _ => throw new ArgumentOutOfRangeException(nameof(input)),
    };

    private static string Text(ChatPart part) => part is ChatPart.Text text
        ? text.Value
        : throw new MmException(MmErrorCode.InvalidArgument, "a simulated model takes text only");

    private static int[] Bytes(string text) => text.Length == 0
        ? throw new MmException(MmErrorCode.InvalidArgument, "the prompt is empty") { Param = "prompt" }
        : [.. Encoding.UTF8.GetBytes(text).Select(value => FirstByteToken + value)];
}
