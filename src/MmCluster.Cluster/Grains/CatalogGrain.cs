using Microsoft.Extensions.Hosting;
using MmCluster.Cluster.Wire;
using Orleans.Concurrency;

namespace MmCluster.Cluster.Grains;

/// <summary>What the catalog remembers.</summary>
[GenerateSerializer, Alias("mm.CatalogState")]
public sealed class CatalogState
{
    /// <summary>Names of the deployed models.</summary>
    [Id(0)]
    public List<string> Models { get; set; } = [];
}

/// <inheritdoc/>
[GrainType("mm.catalog"), KeepAlive, Reentrant]
internal sealed class CatalogGrain(ClusterView cluster, TimeProvider time, IHostApplicationLifetime host) : Grain<CatalogState>, ICatalogGrain
{
    // Not a small number: a caller's version may come from an activation that is gone.
    private readonly long _first = time.GetUtcNow().UtcTicks;
    private readonly LongPoll _poll = new(time, host.ApplicationStopping);
    private long _changes;

    private long Version => _first + _changes;

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        // After a restart of every process somebody must bring the models up again.
        foreach (string model in State.Models)
        {
            _ = GrainFactory.GetGrain<IModelGrain>(model).LookAsync();
        }
        await base.OnActivateAsync(cancellationToken);
    }

    public async Task AddAsync(string model)
    {
        if (!State.Models.Contains(model))
        {
            State.Models.Add(model);
            await ChangeAsync();
        }
    }

    public async Task RemoveAsync(string model)
    {
        if (State.Models.Remove(model))
        {
            await ChangeAsync();
        }
    }

    public async Task<CatalogList> ListAsync(long known)
    {
        if (known == Version)
        {
            await _poll.WaitAsync();
        }
        return new CatalogList(Version, [.. State.Models.Order(StringComparer.Ordinal)]);
    }

    public async Task<NodeView[]> NodesAsync() => [.. await cluster.ViewAsync(GrainFactory)];

    private async Task ChangeAsync()
    {
        await WriteStateAsync();
        _changes++;
        _poll.Change();
    }
}
