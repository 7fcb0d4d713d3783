using System.Collections.Immutable;
using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.Runtime;
using Orleans.Runtime.Directory;

namespace MmCluster.Embedded.Orleans.Tests;

/// <summary>One silo's part of the directory while views change.</summary>
public sealed class DirectoryTests
{
    private static readonly SiloAddress A = SiloAddress.New(IPAddress.Loopback, 1, 1);
    private static readonly SiloAddress B = SiloAddress.New(IPAddress.Loopback, 2, 1);
    private static readonly SiloAddress C = SiloAddress.New(IPAddress.Loopback, 3, 1);

    [Fact]
    public void A_view_moves_only_the_buckets_it_must()
    {
        DirectoryView two = View(1, A, B);
        DirectoryView three = View(2, A, B, C);
        int moved = 0;
        for (int bucket = 0; bucket < DirectoryView.Buckets; bucket++)
        {
            if (!three.OwnerOf(bucket)!.Equals(two.OwnerOf(bucket)))
            {
                Assert.Equal(C, three.OwnerOf(bucket));
                moved++;
            }
        }
        Assert.InRange(moved, DirectoryView.Buckets / 6, DirectoryView.Buckets / 2);
    }

    [Fact]
    public async Task The_first_registration_wins()
    {
        DirectoryPartition partition = Partition(new Peers());
        partition.Apply(View(1, A));
        GrainAddress first = Address("g", A);
        Assert.Equal(first, (await partition.RegisterAsync(first, new MembershipVersion(1))).Address);
        Assert.Equal(first, (await partition.RegisterAsync(Address("g", B), new MembershipVersion(1))).Address);
        await partition.UnregisterAsync(Address("g", B), new MembershipVersion(1));
        Assert.Equal(first, (await partition.LookupAsync(first.GrainId, new MembershipVersion(1))).Address);
        await partition.UnregisterAsync(first, new MembershipVersion(1));
        Assert.Null((await partition.LookupAsync(first.GrainId, new MembershipVersion(1))).Address);
    }

    [Fact]
    public async Task A_bucket_that_is_taken_over_serves_only_after_all_have_said_what_they_hold()
    {
        Peers peers = new();
        DirectoryPartition partition = Partition(peers);
        partition.Apply(View(1, B, C));
        GrainAddress held = Address(KeyOf(View(1, B, C), B), C); // registered with B, which dies
        partition.Apply(View(2, B, [A, C]));
        ValueTask<DirectoryAnswer> racing = partition.RegisterAsync(Address(held.GrainId, A), new MembershipVersion(2));
        Assert.False(racing.IsCompleted);
        peers.Answer(held);
        Assert.Equal(held.SiloAddress, (await racing).Address!.SiloAddress);
    }

    [Fact]
    public async Task Entries_of_a_dead_silo_are_dropped()
    {
        Peers peers = new();
        peers.Answer();
        DirectoryPartition partition = Partition(peers);
        partition.Apply(View(1, A, C));
        GrainAddress gone = Address(KeyOf(View(1, A, C), A), C);
        await partition.RegisterAsync(gone, new MembershipVersion(1));
        Assert.Equal(gone, (await partition.LookupAsync(gone.GrainId, new MembershipVersion(1))).Address);
        partition.Apply(View(2, C, [A]));
        Assert.Null((await partition.LookupAsync(gone.GrainId, new MembershipVersion(2))).Address);
    }

    [Fact]
    public async Task The_last_word_of_a_dead_silo_leads_nobody_there()
    {
        DirectoryPartition partition = Partition(new Peers());
        partition.Apply(View(1, C, [A]));
        GrainAddress late = Address("g", C);
        await partition.RegisterAsync(late, new MembershipVersion(1));
        Assert.Null((await partition.LookupAsync(late.GrainId, new MembershipVersion(1))).Address);
        GrainAddress next = Address("g", A);
        Assert.Equal(next, (await partition.RegisterAsync(next, new MembershipVersion(1))).Address);
    }

    [Fact]
    public async Task One_who_does_not_own_a_grain_says_at_which_version()
    {
        DirectoryPartition partition = Partition(new Peers());
        partition.Apply(View(7, B));
        Assert.Equal(new MembershipVersion(7), (await partition.LookupAsync(GrainId.Create("t", "g"), new MembershipVersion(1))).NotOwnerAt);
    }

    private static DirectoryPartition Partition(Peers peers) => new(A, peers, TimeProvider.System, NullLogger.Instance);

    private static GrainAddress Address(string key, SiloAddress silo) => Address(GrainId.Create("t", key), silo);

    private static GrainAddress Address(GrainId id, SiloAddress silo) => new() { GrainId = id, ActivationId = ActivationId.NewId(), SiloAddress = silo };

    // A key that the silo owns in the view.
    private static string KeyOf(DirectoryView view, SiloAddress owner) => Enumerable.Range(0, 10_000).Select(i => $"k{i}")
        .First(key => owner.Equals(view.OwnerOf(DirectoryView.BucketOf(GrainId.Create("t", key))))
            && A.Equals(View(2, B, [A, C]).OwnerOf(DirectoryView.BucketOf(GrainId.Create("t", key)))));

    private static DirectoryView View(int version, params SiloAddress[] active) => View(version, null, active);

    private static DirectoryView View(int version, SiloAddress? dead, SiloAddress[] active)
    {
        ImmutableDictionary<SiloAddress, ClusterMember> members = active.ToImmutableDictionary(silo => silo, silo => new ClusterMember(silo, SiloStatus.Active, ""));
        return new DirectoryView(new ClusterMembershipSnapshot(
            dead is null ? members : members.Add(dead, new ClusterMember(dead, SiloStatus.Dead, "")), new MembershipVersion(version)));
    }

    /// <summary>Other silos: this one answers at once, others when they are told to.</summary>
    private sealed class Peers : IDirectoryPeers
    {
        private readonly TaskCompletionSource<List<GrainAddress>> _answer = new();

        public void Answer(params GrainAddress[] held) => _answer.TrySetResult([.. held]);

        public Task<List<GrainAddress>> RecoverAsync(SiloAddress silo, byte[] buckets, MembershipVersion version) =>
            silo.Equals(A) ? Task.FromResult<List<GrainAddress>>([]) : _answer.Task;

        public Task RefreshAsync(MembershipVersion version) => Task.Delay(Timeout.Infinite);
    }
}
