using System.Collections.Immutable;
using MmCluster.Cluster.Hosting;
using MmCluster.Cluster.Wire;
using Orleans.Runtime.MembershipService.SiloMetadata;

namespace MmCluster.Cluster.Grains;

/// <summary>What all live nodes say of themselves.</summary>
internal sealed class ClusterView(IClusterMembershipService membership, ISiloMetadataCache metadata)
{
    // A node that does not answer in this time is as good as gone for this round.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    public async Task<IReadOnlyList<NodeView>> ViewAsync(IGrainFactory grains)
    {
        NodeView?[] views = await Task.WhenAll(membership.CurrentSnapshot.Members.Values
            .Where(member => member.Status == SiloStatus.Active && IsNode(member.SiloAddress))
            .Select(member => ViewAsync(grains, member.SiloAddress)));
        return [.. views.OfType<NodeView>().OrderBy(view => view.Status.Address, StringComparer.Ordinal)];
    }

    private bool IsNode(SiloAddress silo) => metadata.GetSiloMetadata(silo)?.Metadata is not { } known
        || known.GetValueOrDefault(NodeMetadata.Role) != MmSiloOptions.GatewayRole;

    private static async Task<NodeView?> ViewAsync(IGrainFactory grains, SiloAddress silo)
    {
        try
        {
            return await grains.GetGrain<INodeGrain>(silo.ToParsableString()).ViewAsync().WaitAsync(Patience);
        }
        catch (Exception error) when (error is OrleansException or TimeoutException or StageNotPlacedException)
        {
            return null;
        }
    }
}
