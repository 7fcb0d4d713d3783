using System.Runtime.CompilerServices;

namespace MmCluster.Engine.Hosting;

/// <summary>Where a request is before its first token, and while media are made.</summary>
/// <param name="Stage"><see cref="Queued"/>, <see cref="Encoding"/>, <see cref="Prefill"/> or <see cref="Generating"/>.</param>
/// <param name="Step">Of <paramref name="Steps"/>, how many are done.</param>
/// <param name="Steps">Media items where they are encoded, denoising steps where one is made; else 1.</param>
public sealed record RequestProgress(string Stage, int Step, int Steps)
{
    /// <summary>It waits for others to end.</summary>
    public const string Queued = "queued";

    /// <summary>Its media are being encoded.</summary>
    public const string Encoding = "encoding";

    /// <summary>All of its prompt is with the language model.</summary>
    public const string Prefill = "prefill";

    /// <summary>The next media item of its answer is being made.</summary>
    public const string Generating = "generating";

    /// <summary>An entry that tells nothing else.</summary>
    public SequenceOutput EntryOf(string requestId) => new(requestId, 0, 0, default, "", null) { Progress = this };

    /// <summary>
    /// The entries of a request, and before the first of them how far its media are. Stopping the enumeration early stops <paramref name="outputs"/>.
    /// </summary>
    /// <param name="requestId">The request.</param>
    /// <param name="media">Complete when their features are there, or failed.</param>
    /// <param name="outputs">Its entries.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async IAsyncEnumerable<SequenceOutput> TellAsync(
        string requestId, IReadOnlyList<Task> media, IAsyncEnumerable<SequenceOutput> outputs, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using IAsyncEnumerator<SequenceOutput> entries = outputs.GetAsyncEnumerator(stop.Token);
        Task<bool> next = entries.MoveNextAsync().AsTask();
        try
        {
            int told = -1;
            while (!next.IsCompleted && told < media.Count)
            {
                int done = media.Count(item => item.IsCompleted);
                if (done > told)
                {
                    told = done;
                    yield return (done < media.Count ? new RequestProgress(Encoding, done, media.Count) : new RequestProgress(Prefill, 0, 1)).EntryOf(requestId);
                }
                else
                {
                    await Task.WhenAny([next, .. media.Where(item => !item.IsCompleted)]);
                }
            }
            while (await next)
            {
                yield return entries.Current;
                next = entries.MoveNextAsync().AsTask();
            }
        }
        finally
        {
            // An enumerator must not be disposed of while it moves.
            await stop.CancelAsync();
            await next.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }
}
