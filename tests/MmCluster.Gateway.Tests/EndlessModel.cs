using System.Runtime.CompilerServices;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.Models;

namespace MmCluster.Gateway.Tests;

/// <summary>Writes <paramref name="text"/> for ever, as fast as it is read; tells when it was stopped.</summary>
internal sealed class EndlessModel(string text) : IServedModel
{
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _written;

    public string Id => "endless";

    public ServedModelInfo Info { get; } = new(DateTimeOffset.UnixEpoch, 4096, 1000);

    public bool Ready => true;

    public SamplingParameters DefaultSampling { get; } = new();

    /// <summary>Entries that were asked of it.</summary>
    public long Written => Interlocked.Read(ref _written);

    public Task StoppedAsync => _stopped.Task.WaitAsync(TestContext.Current.CancellationToken);

    public string TokenText(int token) => "";

    public async IAsyncEnumerable<SequenceOutput> GenerateAsync(ModelRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        try
        {
            await Task.CompletedTask;
            while (true)
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return new SequenceOutput(request.Id, 0, (int)Interlocked.Increment(ref _written), new[] { 1 }, text, null);
            }
        }
        finally
        {
            _stopped.TrySetResult();
        }
    }
}
