namespace Orleans.Runtime.Directory;

/// <summary>The directory's part on one silo, as other silos call it.</summary>
internal interface IDirectoryService : IAddressable
{
    /// <summary>Registers an address unless the grain has one; answers with the one that holds.</summary>
    ValueTask<DirectoryAnswer> Register(GrainAddress address, MembershipVersion version);

    /// <summary>Removes an address if it is still the one that is registered.</summary>
    ValueTask<DirectoryAnswer> Unregister(GrainAddress address, MembershipVersion version);

    ValueTask<DirectoryAnswer> Lookup(GrainId grain, MembershipVersion version);

    /// <summary>What is registered from this silo in the buckets whose bits are set, once it has seen <paramref name="version"/>.</summary>
    Task<List<GrainAddress>> Recover(byte[] buckets, MembershipVersion version);
}

/// <summary>An address, none, or the version at which the asked silo does not own the bucket.</summary>
[GenerateSerializer, Immutable]
internal readonly struct DirectoryAnswer(GrainAddress? address, MembershipVersion? notOwnerAt)
{
    [Id(0)]
    public GrainAddress? Address { get; } = address;

    [Id(1)]
    public MembershipVersion? NotOwnerAt { get; } = notOwnerAt;
}
