namespace Orleans.Runtime.Membership;

/// <summary>What silos ask each other to know who is alive.</summary>
internal interface IMembershipPeer : IAddressable
{
    /// <summary>Answers at once.</summary>
    ValueTask Ping();

    /// <summary>Says that the table has changed.</summary>
    [Orleans.Concurrency.OneWay]
    ValueTask TableChanged(MembershipVersion version);

    /// <summary>
    /// Says that <paramref name="silo"/> has handed over its grains: nothing is sent there any more. Answers when the calls
    /// that were on their way there have ended.
    /// </summary>
    ValueTask Leaving(SiloAddress silo);

    /// <summary>What the silo can host, and its metadata.</summary>
    ValueTask<SiloInfo> GetInfo();

    /// <summary>Whether the client is connected to the silo's gateway.</summary>
    ValueTask<bool> HasClient(Guid client);

    /// <summary>The number of activations, for placement.</summary>
    ValueTask<int> GetLoad();
}

/// <summary>What does not change while a silo runs.</summary>
[GenerateSerializer, Immutable]
internal sealed class SiloInfo
{
    [Id(0)]
    public string[] GrainTypes { get; set; } = [];

    [Id(1)]
    public Dictionary<string, string> Metadata { get; set; } = [];
}

/// <summary>The members as the parts of a silo see them.</summary>
internal interface IMembershipView
{
    ClusterMembershipSnapshot CurrentSnapshot { get; }

    ValueTask Refresh(MembershipVersion minimumVersion = default, CancellationToken cancellationToken = default);
}
