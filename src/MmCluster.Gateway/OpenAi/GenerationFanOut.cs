using System.Runtime.CompilerServices;
using System.Threading.Channels;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.Models;

namespace MmCluster.Gateway.OpenAi;

/// <summary>Runs the requests of one call side by side (a completion may have several prompts) and joins their entries.</summary>
internal static class GenerationFanOut
{
    /// <summary>Entries of all requests; a request's choices are numbered behind those of the requests before it.</summary>
    public static IAsyncEnumerable<SequenceOutput> RunAsync(
        IServedModel model, IReadOnlyList<ModelRequest> requests, int choices, CancellationToken cancellationToken) =>
        requests.Count == 1
            ? model.GenerateAsync(requests[0], cancellationToken)
            : JoinAsync(model, requests, choices, cancellationToken);

    private static async IAsyncEnumerable<SequenceOutput> JoinAsync(
        IServedModel model,
        IReadOnlyList<ModelRequest> requests,
        int choices,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var joined = Channel.CreateBounded<SequenceOutput>(64);
        Task all = Task.WhenAll(requests.Select((request, index) => PumpAsync(request, index * choices)));
        _ = all.ContinueWith(
            done => joined.Writer.TryComplete(done.Exception?.InnerException), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        try
        {
            await foreach (SequenceOutput output in joined.Reader.ReadAllAsync(cancellationToken))
            {
                yield return output;
            }
        }
        finally
        {
            await stop.CancelAsync();
        }

        async Task PumpAsync(ModelRequest request, int firstChoice)
        {
            await foreach (SequenceOutput output in model.GenerateAsync(request, stop.Token))
            {
                await joined.Writer.WriteAsync(output with { Choice = output.Choice + firstChoice }, stop.Token);
            }
        }
    }
}
