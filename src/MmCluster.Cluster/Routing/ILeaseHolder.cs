namespace MmCluster.Cluster.Routing;

/// <summary>A call whose leases are renewed while it goes on.</summary>
internal interface ILeaseHolder
{
    /// <summary>The name of its leases.</summary>
    string Lease { get; }

    /// <summary>Encoders that hold something for it.</summary>
    IEnumerable<string> Encoders { get; }

    /// <summary>Generators that hold something for it.</summary>
    IEnumerable<string> Generators { get; }
}
