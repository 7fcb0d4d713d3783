using System.Runtime.CompilerServices;
using System.Threading.Channels;
using MmCluster.Engine;
using MmCluster.Models;

namespace MmCluster.Gateway.Admission;

/// <summary>
/// Stands between a model's stream and a client's socket. A client <see cref="MaxBehind"/> entries behind pauses its stream: nothing more is read
/// from the model. After <see cref="Patience"/> of that its request is cancelled.
/// </summary>
internal static class SlowClient
{
    public const int MaxBehind = 1024;

    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The entries of <paramref name="outputs"/>. <paramref name="abandon"/> is called when patience ends; it must unblock a reader that waits
    /// for the socket. Stopping early stops the model's stream.
    /// </summary>
    public static async IAsyncEnumerable<SequenceOutput> BufferAsync(
        IAsyncEnumerable<SequenceOutput> outputs, TimeProvider time, Action abandon, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var behind = Channel.CreateBounded<SequenceOutput>(new BoundedChannelOptions(MaxBehind) { SingleReader = true, SingleWriter = true });
        Task pump = PumpAsync();
        try
        {
            await foreach (SequenceOutput output in behind.Reader.ReadAllAsync(cancellationToken))
            {
                yield return output;
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
                        await WriteWhenReadAsync(output);
                    }
                }
                behind.Writer.TryComplete();
            }
            catch (Exception error)
            {
                behind.Writer.TryComplete(error);
            }
        }

        async Task WriteWhenReadAsync(SequenceOutput output)
        {
            using var patience = new CancellationTokenSource(Patience, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, stop.Token);
            try
            {
                await behind.Writer.WriteAsync(output, either.Token);
            }
            catch (OperationCanceledException error) when (patience.IsCancellationRequested && !stop.IsCancellationRequested)
            {
                abandon();
                throw new MmException(
                    MmErrorCode.Cancelled, $"the client was over {MaxBehind} events behind for {Patience.TotalSeconds:F0} s", error);
            }
        }
    }
}
