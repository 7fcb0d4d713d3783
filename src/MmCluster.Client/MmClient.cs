using System.Runtime.CompilerServices;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using MmCluster.Protos.V1;

namespace MmCluster.Client;

/// <summary>
/// Calls a gateway's gRPC services over one connection. Safe to call from any thread; make one a gateway and keep it. Calls end with
/// <see cref="MmClientException"/> when the server refuses or fails them, and with <see cref="OperationCanceledException"/> when the caller cancels.
/// </summary>
public sealed class MmClient : IDisposable
{
    private const int UploadPiece = 256 << 10;

    private readonly MmClientOptions _options;
    private readonly GrpcChannel _channel;
    private readonly Generation.GenerationClient _generation;
    private readonly Admin.AdminClient _admin;

    /// <summary>A client of the gateway at <paramref name="address"/>, such as <c>http://127.0.0.1:8000</c>.</summary>
    public MmClient(Uri address, MmClientOptions? options = null)
    {
        _options = options ?? new MmClientOptions();
        _channel = GrpcChannel.ForAddress(address, new GrpcChannelOptions { MaxReceiveMessageSize = _options.MaxReceiveBytes });
        _generation = new Generation.GenerationClient(_channel);
        _admin = new Admin.AdminClient(_channel);
    }

    /// <summary>
    /// The events of a generation as they come: text, token ids and logprobs where asked for, and usage with the last event of each choice.
    /// Ending the enumeration early frees the request's work on the server.
    /// </summary>
    public async IAsyncEnumerable<GenerateEvent> GenerateAsync(GenerateRequest request, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using AsyncServerStreamingCall<GenerateEvent> call = _generation.Generate(request, Options(cancellationToken));
        while (await EndAsync(call.ResponseStream.MoveNext(cancellationToken), cancellationToken))
        {
            yield return call.ResponseStream.Current;
        }
    }

    /// <summary>
    /// The answer's text in pieces, to one question about any number of media.
    /// </summary>
    /// <param name="question">What the user says.</param>
    /// <param name="media">Pictures, sounds or films that it is about.</param>
    /// <param name="model">The model's name; null takes the only one that is served.</param>
    /// <param name="sampling">How to sample; null takes the model's own defaults.</param>
    /// <param name="cancellationToken">Ends the request.</param>
    public async IAsyncEnumerable<string> AskAsync(
        string question,
        IEnumerable<MediaSource>? media = null,
        string? model = null,
        SamplingParameters? sampling = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var message = new ChatMessage { Role = "user", Parts = { (media ?? []).Select(item => new ContentPart { Media = item }), new ContentPart { Text = question } } };
        var request = new GenerateRequest { Model = model ?? "", Chat = new Chat { Messages = { message } }, Sampling = sampling };
        await foreach (GenerateEvent piece in GenerateAsync(request, cancellationToken))
        {
            if (piece.Choice == 0 && piece.Text.Length > 0)
            {
                yield return piece.Text;
            }
        }
    }

    /// <summary>What is served.</summary>
    public async Task<IReadOnlyList<Model>> ListModelsAsync(CancellationToken cancellationToken = default) =>
        (await EndAsync(_generation.ListModelsAsync(new ListModelsRequest(), Options(cancellationToken)).ResponseAsync, cancellationToken)).Models;

    /// <summary>Sends media ahead; the answer's id may stand in a <see cref="MediaSource"/> until it expires.</summary>
    /// <param name="content">The file, read to its end.</param>
    /// <param name="cancellationToken">Ends the upload.</param>
    public async Task<UploadResponse> UploadAsync(Stream content, CancellationToken cancellationToken = default)
    {
        using AsyncClientStreamingCall<UploadChunk, UploadResponse> call = _generation.Upload(Options(cancellationToken));
        byte[] piece = new byte[UploadPiece];
        try
        {
            int read;
            while ((read = await content.ReadAsync(piece, cancellationToken)) > 0)
            {
                await call.RequestStream.WriteAsync(new UploadChunk { Data = ByteString.CopyFrom(piece, 0, read) }, cancellationToken);
            }
            await call.RequestStream.CompleteAsync();
        }
        catch (Exception error) when (error is RpcException or InvalidOperationException)
        {
            // The server ended the call while there was more to send; its answer says why.
        }
        return await EndAsync(call.ResponseAsync, cancellationToken);
    }

    /// <summary>The features that a backbone would get for media, one a media item: [positions, width] in F32.</summary>
    public async Task<IReadOnlyList<TensorData>> EncodeAsync(EncodeRequest request, CancellationToken cancellationToken = default) =>
        (await EndAsync(_generation.EncodeAsync(request, Options(cancellationToken)).ResponseAsync, cancellationToken)).Features;

    /// <summary>Nodes, stages, replicas and load; needs an admin key.</summary>
    public Task<ClusterStatus> StatusAsync(CancellationToken cancellationToken = default) =>
        EndAsync(_admin.StatusAsync(new StatusRequest(), Options(cancellationToken)).ResponseAsync, cancellationToken);

    /// <summary>Makes the cluster run what a cluster.yaml's text says, or tells what would change; needs an admin key.</summary>
    public Task<DeployResponse> DeployAsync(string clusterYaml, bool dryRun = false, CancellationToken cancellationToken = default) => EndAsync(
        _admin.DeployAsync(new DeployRequest { ClusterYaml = clusterYaml, DryRun = dryRun }, Options(cancellationToken)).ResponseAsync, cancellationToken);

    /// <summary>Sets how many replicas a component has (a component of the model's card, or backbone); needs an admin key.</summary>
    public Task<ScaleResponse> ScaleAsync(string model, string component, int replicas, CancellationToken cancellationToken = default) => EndAsync(
        _admin.ScaleAsync(new ScaleRequest { Model = model, Component = component, Replicas = replicas }, Options(cancellationToken)).ResponseAsync, cancellationToken);

    /// <summary>Takes a node out of service, by name or address, and tells how far that is until nothing is left on it; needs an admin key.</summary>
    public async IAsyncEnumerable<DrainEvent> DrainAsync(string node, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using AsyncServerStreamingCall<DrainEvent> call = _admin.Drain(new DrainRequest { Node = node }, Options(cancellationToken));
        while (await EndAsync(call.ResponseStream.MoveNext(cancellationToken), cancellationToken))
        {
            yield return call.ResponseStream.Current;
        }
    }

    /// <summary>Ends all calls and closes the connection.</summary>
    public void Dispose() => _channel.Dispose();

    private static async Task<T> EndAsync<T>(Task<T> call, CancellationToken cancellationToken)
    {
        try
        {
            return await call;
        }
        catch (RpcException error)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new MmClientException(error);
        }
    }

    private CallOptions Options(CancellationToken cancellationToken) => new(
        _options.ApiKey is { } key ? new Metadata { { "authorization", $"Bearer {key}" } } : null,
        _options.Timeout is { } timeout ? _options.Time.GetUtcNow().UtcDateTime + timeout : null,
        cancellationToken);
}
