using System.Runtime.CompilerServices;
using System.Threading.Channels;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.Models;

namespace MmCluster.Gateway.Tests;

/// <summary>Answers with one word once <see cref="Release"/> is called; tells when a request has begun and when one has ended.</summary>
internal sealed class HeldModel : IServedModel
{
    private readonly Channel<bool> _begun = Channel.CreateUnbounded<bool>();
    private readonly Channel<bool> _ended = Channel.CreateUnbounded<bool>();
    private readonly TaskCompletionSource _release = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string Id => "held";

    public ServedModelInfo Info { get; } = new(DateTimeOffset.UnixEpoch, 4096, 1000);

    public bool Ready => true;

    public SamplingParameters DefaultSampling { get; } = new();

    public string TokenText(int token) => "";

    public async Task BegunAsync() => await _begun.Reader.ReadAsync(TestContext.Current.CancellationToken);

    public async Task EndedAsync() => await _ended.Reader.ReadAsync(TestContext.Current.CancellationToken);

    public void Release() => _release.TrySetResult();

    public async IAsyncEnumerable<SequenceOutput> GenerateAsync(ModelRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        try
        {
            _begun.Writer.TryWrite(true);
            await _release.Task.WaitAsync(cancellationToken);
            for (int choice = 0; choice < request.Sampling.Choices; choice++)
            {
                yield return new SequenceOutput(request.Id, choice, 0, new[] { 1 }, "done", FinishReason.Stop) { Usage = new Usage(1, 0, 1) };
            }
        }
        finally
        {
            _ended.Writer.TryWrite(true);
        }
    }
}
