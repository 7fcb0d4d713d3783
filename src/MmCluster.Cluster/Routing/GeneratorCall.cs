using MmCluster.Cluster.Grains;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.Wire;
using MmCluster.Engine;
using MmCluster.Models;

namespace MmCluster.Cluster.Routing;

/// <summary>One media item that a language model asked for: a generator takes it in when its queue has room, another where one is lost; the file is pulled here.</summary>
internal sealed class GeneratorCall(RoutedModel model, CallContext context, SignalOf signal, int item, string lease, ulong seed)
{
    private const int MostTries = 3;

    // How long a full queue is waited for: the text is there already, so an answer at once would waste it.
    private static readonly TimeSpan QueuePatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan QueuePause = TimeSpan.FromMilliseconds(200);

    /// <summary>The generator that has it, or null.</summary>
    public string? Generator { get; private set; }

    /// <summary>Makes it.</summary>
    /// <exception cref="MmException">It cannot be made, or no generator has room in time.</exception>
    public async Task<MediaOutput> RunAsync(CancellationToken cancellationToken)
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
            foreach (GeneratorRoute route in model.Generators(signal.Component, (ulong)item))
            {
                try
                {
                    await model.Grains.GetGrain<IGeneratorGrain>(route.Key).SubmitAsync(
                        new GenerateMessage { Request = lease, Item = item, SignalTokens = signal.Ids, Seed = seed, Origin = context.Link.Address });
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
