using System.Runtime.CompilerServices;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.Models;

namespace MmCluster.Gateway.Keys;

/// <summary>A model as one caller sees it: under its name, its priority ceiling and its limits.</summary>
internal sealed class CallerModel(IServedModel inner, Caller caller) : DelegatingModel(inner)
{
    public override async IAsyncEnumerable<SequenceOutput> GenerateAsync(
        ModelRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        caller.Enter();
        try
        {
            await foreach (SequenceOutput output in Inner.GenerateAsync(caller.Stamp(request), cancellationToken))
            {
                caller.Charge(output);
                yield return output;
            }
        }
        finally
        {
            caller.Leave();
        }
    }

    public override async Task<EncodedMedia> EncodeAsync(MediaItem media, string revision, CancellationToken cancellationToken)
    {
        caller.Enter();
        try
        {
            return await Inner.EncodeAsync(media, revision, cancellationToken);
        }
        finally
        {
            caller.Leave();
        }
    }
}
