using System.Runtime.CompilerServices;
using System.Threading.Channels;
using MmCluster.Engine;
using MmCluster.Models;

namespace MmCluster.Gateway.Admission;

/// <summary>
/// Stands between a model's stream and a client's socket. A client <see cref="MaxBehind"/> entries behind pauses its stream: nothing more is
/// read from the model until half of them are taken. One that does not get there within <see cref="Patience"/> is cancelled, so that a trickle
/// of reads does not hold a request for ever.
/// </summary>
internal static class SlowClient
{
    public const int MaxBehind = 1024;

    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private const int GoOnAt = MaxBehind / 2;

    /// <summary>
    /// The entries of <paramref name="outputs"/>. <paramref name="abandon"/> is called when patience ends; it must unblock a reader that waits
    /// for the socket. Stopping early stops the model's stream.
    /// </summary>
    public static async IAsyncEnumerable<SequenceOutput> BufferAsync(
        IAsyncEnumerable<SequenceOutput> outputs, TimeProvider time, Action abandon, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var behind = Channel.CreateBounded<SequenceOutput>(new BoundedChannelOptions(MaxBehind) { SingleReader = true, SingleWriter = true });
        TaskCompletionSource? paused = null;
        Task pump = PumpAsync();
        try
        {
            await foreach (SequenceOutput output in behind.Reader.ReadAllAsync(cancellationToken))
            {
                yield return output;
                if (Volatile.Read(ref paused) is { } waiting && behind.Reader.Count <= GoOnAt)
                {
                    waiting.TrySetResult();
                }
            }
        }
        finally
        {
            await stop.CancelAsync();
            // Its failure, if any, went through the channel; here it only must have let go of the model's stream.
            await pump;
        }

        async Task PumpAsync()
        {
            try
            {
                await foreach (SequenceOutput output in outputs.WithCancellation(stop.Token))
                {
                    if (!behind.Writer.TryWrite(output))
                    {
                        await PauseAsync();
                        await behind.Writer.WriteAsync(output, stop.Token);
                    }
                }
                behind.Writer.TryComplete();
            }
            catch (Exception error)
            {
                behind.Writer.TryComplete(error);
            }
        }

        async Task PauseAsync()
        {
            var waiting = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Interlocked.Exchange(ref paused, waiting);
            // The reader may have taken them all before it could see that we wait.
            if (behind.Reader.Count > GoOnAt)
            {
                try
                {
                    await waiting.Task.WaitAsync(Patience, time, stop.Token);
                }
                catch (TimeoutException error)
                {
                    abandon();
                    throw new MmException(
                        MmErrorCode.Cancelled, $"the client was {MaxBehind} events behind and did not catch up within {Patience.TotalSeconds:F0} s", error);
                }
            }
            Interlocked.Exchange(ref paused, null);
        }
    }
}
