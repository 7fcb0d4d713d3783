using System.Threading.Channels;
using MmCluster.Cluster.Grains;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.Wire;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Models;

namespace MmCluster.Cluster.Routing;

/// <summary>One media item that a language model asked for: a generator takes it in when its queue has room, another where one is lost; the file is pulled here.</summary>
/// <param name="model">The model.</param>
/// <param name="revision">Its revision whose generators are meant.</param>
/// <param name="context">The gateway's side.</param>
/// <param name="signal">What the language model said.</param>
/// <param name="item">Which of the request's items.</param>
/// <param name="lease">The name of the request's leases.</param>
/// <param name="request">The request.</param>
internal sealed class GeneratorCall(RoutedModel model, string revision, CallContext context, SignalOf signal, int item, string lease, ModelRequest request)
{
    private const int MostTries = 3;

    // How long a full queue is waited for: the text is there already, so an answer at once would waste it.
    private static readonly TimeSpan QueuePatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan QueuePause = TimeSpan.FromMilliseconds(200);

    // Nobody reads them while there is text to read: then the newest counts.
    private readonly Channel<RequestProgress> _steps = Channel.CreateBounded<RequestProgress>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });

    /// <summary>The generator that has it, or null.</summary>
    public string? Generator { get; private set; }

    /// <summary>The item.</summary>
    /// <exception cref="MmException">It cannot be made, or no generator has room in time.</exception>
    public Task<MediaOutput> Made { get; private set; } = null!;

    /// <summary>How far it is, where the request asked for that, until it is made or cannot be.</summary>
    public IAsyncEnumerable<RequestProgress> StepsAsync(CancellationToken cancellationToken) => _steps.Reader.ReadAllAsync(cancellationToken);

    /// <summary>Begins to make it.</summary>
    public void Begin(CancellationToken cancellationToken)
    {
        Made = RunAsync(cancellationToken);
        _ = Made.ContinueWith(_ => _steps.Writer.TryComplete(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private async Task<MediaOutput> RunAsync(CancellationToken cancellationToken)
    {
        for (int tries = 1; ; tries++)
        {
            try
            {
                string key = await SubmitAsync(cancellationToken);
                IGeneratorGrain grain = model.Grains.GetGrain<IGeneratorGrain>(key);
                while (true)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    GenerateReply reply = await grain.ResultAsync(lease, item);
                    if (reply.Bytes is { } bytes)
                    {
                        using PulledTensor file = await context.Link.PullAsync(bytes, cancellationToken);
                        return new MediaOutput(reply.ContentType, file.Tensor.AsReadOnlySpan<byte>().ToArray());
                    }
                    if (reply.Steps > 0)
                    {
                        _steps.Writer.TryWrite(new RequestProgress(RequestProgress.Generating, reply.Step, reply.Steps));
                    }
                }
            }
            catch (Exception error) when (Failures.IsRetryable(error) && tries < MostTries && Generator is not null)
            {
                model.Report(error);
                Generator = null;
            }
            catch (Exception error) when (Failures.TellsOfLoss(error))
            {
                throw Failures.From(error);
            }
        }
    }

    private async Task<string> SubmitAsync(CancellationToken cancellationToken)
    {
        long start = context.Time.GetTimestamp();
        while (true)
        {
            MmException? last = null;
            foreach (GeneratorRoute route in model.Generators(revision, signal.Component, (ulong)item))
            {
                try
                {
                    await model.Grains.GetGrain<IGeneratorGrain>(route.Key).SubmitAsync(new GenerateMessage
                    {
                        Request = lease,
                        Item = item,
                        SignalTokens = signal.Ids,
                        Seed = request.Sampling.Seed,
                        Origin = context.Link.Address,
                        TellSteps = request.ReportProgress,
                    });
                    return Generator = route.Key;
                }
                catch (Exception error) when (Failures.IsRetryable(error))
                {
                    model.Report(error);
                    last = Failures.From(error);
                }
            }
            if (context.Time.GetElapsedTime(start) > QueuePatience)
            {
                throw last ?? new MmException(MmErrorCode.Unavailable, $"no generator '{signal.Component}' of '{model.Name}' is ready") { RetryAfter = TimeSpan.FromSeconds(1) };
            }
            await Task.Delay(QueuePause, context.Time, cancellationToken);
        }
    }
}
