using System.Collections.Immutable;
using Orleans.Runtime.Internal;

namespace Orleans.Runtime.Directory;

/// <summary>
/// Who keeps which part of the directory at one membership version. Grain ids fall into a fixed number of buckets; a
/// bucket belongs to the active silo whose hash with it is highest, so that a change moves only what it must.
/// </summary>
internal sealed class DirectoryView
{
    public const int Buckets = 512;

    private readonly SiloAddress?[] _owners = new SiloAddress?[Buckets];

    public DirectoryView(ClusterMembershipSnapshot snapshot)
    {
        Version = snapshot.Version;
        Active = [.. snapshot.Members.Values.Where(member => member.Status == SiloStatus.Active).Select(member => member.SiloAddress).Order()];
        Alive = [.. snapshot.Members.Values
            .Where(member => member.Status is SiloStatus.Active or SiloStatus.ShuttingDown or SiloStatus.Stopping)
            .Select(member => member.SiloAddress)];
        for (int bucket = 0; bucket < Buckets && !Active.IsEmpty; bucket++)
        {
            _owners[bucket] = Active.MaxBy(silo => StableHash.Mix(StableHash.Mix((uint)bucket, 0x5BD1E995u), (uint)silo.GetConsistentHashCode()));
        }
    }

    public MembershipVersion Version { get; }

    /// <summary>The silos that own buckets.</summary>
    public ImmutableArray<SiloAddress> Active { get; }

    /// <summary>The silos that may hold activations.</summary>
    public ImmutableHashSet<SiloAddress> Alive { get; }

    public static int BucketOf(GrainId id) => (int)(id.GetUniformHashCode() % Buckets);

    /// <summary>The owner of a bucket; null while no silo is active.</summary>
    public SiloAddress? OwnerOf(int bucket) => _owners[bucket];
}
