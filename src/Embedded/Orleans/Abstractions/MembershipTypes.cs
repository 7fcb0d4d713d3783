using System.Collections.Immutable;
using System.Globalization;
using Orleans.Runtime;

namespace Orleans
{
    /// <summary>The table that holds the members of a cluster; every change is a compare-and-swap on row and table version.</summary>
    public interface IMembershipTable
    {
        /// <summary>Prepares the table and, if asked, its first version.</summary>
        Task InitializeMembershipTable(bool tryInitTableVersion);

        /// <summary>Removes all rows of a cluster.</summary>
        Task DeleteMembershipTableEntries(string clusterId);

        /// <summary>Removes rows of dead silos that were last alive before <paramref name="beforeDate"/>.</summary>
        Task CleanupDefunctSiloEntries(DateTimeOffset beforeDate);

        /// <summary>Reads one row and the table version.</summary>
        Task<MembershipTableData> ReadRow(SiloAddress key);

        /// <summary>Reads all rows and the table version at one moment.</summary>
        Task<MembershipTableData> ReadAll();

        /// <summary>Adds a row; false where the row exists or the table version is not the one before <paramref name="tableVersion"/>.</summary>
        Task<bool> InsertRow(MembershipEntry entry, TableVersion tableVersion);

        /// <summary>Replaces a row; false where its etag or the table version has changed.</summary>
        Task<bool> UpdateRow(MembershipEntry entry, string etag, TableVersion tableVersion);

        /// <summary>Writes the alive time of a row, without a new version.</summary>
        Task UpdateIAmAlive(MembershipEntry entry);
    }

    /// <summary>The row of one silo.</summary>
    public sealed class MembershipEntry : ISpanFormattable
    {
        /// <summary>An empty row.</summary>
        public MembershipEntry()
        {
        }

        /// <summary>The silo.</summary>
        public SiloAddress SiloAddress { get; set; } = SiloAddress.Zero;

        /// <summary>Its status.</summary>
        public SiloStatus Status { get; set; }

        /// <summary>Who suspects it, and since when.</summary>
        public List<Tuple<SiloAddress, DateTime>>? SuspectTimes { get; set; }

        /// <summary>The port for clients; 0 for none.</summary>
        public int ProxyPort { get; set; }

        /// <summary>The host.</summary>
        public string HostName { get; set; } = "";

        /// <summary>The silo's name.</summary>
        public string SiloName { get; set; } = "";

        /// <summary>Unused here.</summary>
        public string RoleName { get; set; } = "";

        /// <summary>Unused here.</summary>
        public int UpdateZone { get; set; }

        /// <summary>Unused here.</summary>
        public int FaultZone { get; set; }

        /// <summary>When the silo started.</summary>
        public DateTime StartTime { get; set; }

        /// <summary>When the silo last said that it is alive.</summary>
        public DateTime IAmAliveTime { get; set; }

        /// <summary>Adds a vote, or renews that of <paramref name="localSilo"/>; the oldest goes beyond <paramref name="maxVotes"/>.</summary>
        public void AddOrUpdateSuspector(SiloAddress localSilo, DateTime voteTime, int maxVotes)
        {
            List<Tuple<SiloAddress, DateTime>> votes = SuspectTimes ??= [];
            votes.RemoveAll(vote => vote.Item1.Equals(localSilo));
            while (votes.Count >= maxVotes && votes.Count > 0)
            {
                votes.Remove(votes.MinBy(vote => vote.Item2)!);
            }
            votes.Add(Tuple.Create(localSilo, voteTime));
        }

        /// <summary>Adds a vote.</summary>
        public void AddSuspector(SiloAddress suspectingSilo, DateTime suspectingTime) =>
            (SuspectTimes ??= []).Add(Tuple.Create(suspectingSilo, suspectingTime));

        /// <summary>Silo, name and status.</summary>
        public override string ToString() => $"SiloAddress={SiloAddress} SiloName={SiloName} Status={Status}";

        /// <summary>All fields.</summary>
        public string ToFullString() => string.Create(CultureInfo.InvariantCulture,
            $"[{this} HostName={HostName} ProxyPort={ProxyPort} StartTime={StartTime:O} IAmAliveTime={IAmAliveTime:O} Suspecters={SuspectTimes?.Count ?? 0}]");

        internal MembershipEntry Copy() => new()
        {
            SiloAddress = SiloAddress,
            Status = Status,
            SuspectTimes = SuspectTimes is null ? null : [.. SuspectTimes],
            ProxyPort = ProxyPort,
            HostName = HostName,
            SiloName = SiloName,
            RoleName = RoleName,
            UpdateZone = UpdateZone,
            FaultZone = FaultZone,
            StartTime = StartTime,
            IAmAliveTime = IAmAliveTime,
        };

        bool ISpanFormattable.TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider) =>
            destination.TryWrite($"{ToString()}", out charsWritten);

        string IFormattable.ToString(string? format, IFormatProvider? formatProvider) => ToString();
    }

    /// <summary>Rows with their etags, and the table version they were read at.</summary>
    public sealed class MembershipTableData
    {
        /// <summary>Several rows.</summary>
        public MembershipTableData(List<Tuple<MembershipEntry, string>> list, TableVersion version)
        {
            Members = list;
            Version = version;
        }

        /// <summary>One row.</summary>
        public MembershipTableData(Tuple<MembershipEntry, string> tuple, TableVersion version)
            : this([tuple], version)
        {
        }

        /// <summary>No row.</summary>
        public MembershipTableData(TableVersion version)
            : this([], version)
        {
        }

        /// <summary>The rows with their etags.</summary>
        public IReadOnlyList<Tuple<MembershipEntry, string>> Members { get; }

        /// <summary>The table version.</summary>
        public TableVersion Version { get; }

        /// <summary>The row of <paramref name="silo"/>, or null.</summary>
        public Tuple<MembershipEntry, string>? TryGet(SiloAddress silo) => Members.FirstOrDefault(row => row.Item1.SiloAddress.Equals(silo));

        /// <summary>How many rows there are, and the version.</summary>
        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Members.Count} silos, {Version}");
    }

    /// <summary>The version of the whole membership table and its etag.</summary>
    public sealed class TableVersion : ISpanFormattable, IEquatable<TableVersion>
    {
        /// <summary>Version <paramref name="version"/> with etag <paramref name="eTag"/>.</summary>
        public TableVersion(int version, string eTag)
        {
            Version = version;
            VersionEtag = eTag;
        }

        /// <summary>The number.</summary>
        public int Version { get; }

        /// <summary>The etag.</summary>
        public string VersionEtag { get; }

        /// <summary>The version that a change writes: the next number, with the etag it was based on.</summary>
        public TableVersion Next() => new(Version + 1, VersionEtag);

        /// <summary>Number and etag.</summary>
        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"<{Version}, {VersionEtag}>");

        /// <inheritdoc/>
        public override bool Equals(object? obj) => Equals(obj as TableVersion);

        /// <inheritdoc/>
        public override int GetHashCode() => HashCode.Combine(Version, VersionEtag);

        /// <summary>Whether number and etag are equal.</summary>
        public bool Equals(TableVersion? other) => other is not null && Version == other.Version && VersionEtag == other.VersionEtag;

        bool ISpanFormattable.TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider) =>
            destination.TryWrite($"{ToString()}", out charsWritten);

        string IFormattable.ToString(string? format, IFormatProvider? formatProvider) => ToString();
    }
}

namespace Orleans.Messaging
{
    /// <summary>Finds the silos that accept clients.</summary>
    public interface IGatewayListProvider
    {
        /// <summary>How old a list may be before it is asked for again.</summary>
        TimeSpan MaxStaleness { get; }

        /// <summary>Unused.</summary>
        [Obsolete("This attribute is no longer used and all providers are considered updatable")]
        bool IsUpdatable { get; }

        /// <summary>Prepares the provider.</summary>
        Task InitializeGatewayListProvider();

        /// <summary>The gateways, as <c>gwy.tcp://address:port/generation</c>.</summary>
        Task<IList<Uri>> GetGateways();
    }
}

namespace Orleans.Runtime
{
    /// <summary>The life of a silo, in order.</summary>
    public enum SiloStatus
    {
        /// <summary>Unknown.</summary>
        None = 0,

        /// <summary>Started, not yet in the table.</summary>
        Created = 1,

        /// <summary>In the table, not yet serving.</summary>
        Joining = 2,

        /// <summary>Serving.</summary>
        Active = 3,

        /// <summary>Handing over its grains.</summary>
        ShuttingDown = 4,

        /// <summary>Ending without handing over.</summary>
        Stopping = 5,

        /// <summary>Gone, or declared so.</summary>
        Dead = 6,
    }

    /// <summary>One silo as others see it.</summary>
    public sealed class ClusterMember : IEquatable<ClusterMember>, ISpanFormattable
    {
        /// <summary>A silo, its status and its name.</summary>
        public ClusterMember(SiloAddress siloAddress, SiloStatus status, string name)
        {
            SiloAddress = siloAddress;
            Status = status;
            Name = name;
        }

        /// <summary>The silo.</summary>
        public SiloAddress SiloAddress { get; }

        /// <summary>Its status.</summary>
        public SiloStatus Status { get; }

        /// <summary>Its name.</summary>
        public string Name { get; }

        /// <inheritdoc/>
        public override bool Equals(object? obj) => Equals(obj as ClusterMember);

        /// <summary>Whether silo, status and name are equal.</summary>
        public bool Equals(ClusterMember? other) =>
            other is not null && SiloAddress.Equals(other.SiloAddress) && Status == other.Status && Name == other.Name;

        /// <inheritdoc/>
        public override int GetHashCode() => SiloAddress.GetHashCode();

        /// <summary>Silo, name and status.</summary>
        public override string ToString() => $"{SiloAddress}/{Name}/{Status}";

        bool ISpanFormattable.TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider) =>
            destination.TryWrite($"{ToString()}", out charsWritten);

        string IFormattable.ToString(string? format, IFormatProvider? formatProvider) => ToString();
    }

    /// <summary>All members of the cluster at one version.</summary>
    public sealed class ClusterMembershipSnapshot : ISpanFormattable
    {
        /// <summary>The members at <paramref name="version"/>.</summary>
        public ClusterMembershipSnapshot(ImmutableDictionary<SiloAddress, ClusterMember> members, MembershipVersion version)
        {
            Members = members;
            Version = version;
        }

        /// <summary>The members, dead ones included.</summary>
        public ImmutableDictionary<SiloAddress, ClusterMember> Members { get; }

        /// <summary>The version.</summary>
        public MembershipVersion Version { get; }

        /// <summary>The status of <paramref name="silo"/>; Dead where a later incarnation is a member.</summary>
        public SiloStatus GetSiloStatus(SiloAddress silo)
        {
            if (Members.TryGetValue(silo, out ClusterMember? member))
            {
                return member.Status;
            }
            return Members.Keys.Any(other => other.IsSuccessorOf(silo)) ? SiloStatus.Dead : SiloStatus.None;
        }

        /// <summary>Version and members.</summary>
        public override string ToString() => $"Version: {Version}, {string.Join(", ", Members.Values)}";

        bool ISpanFormattable.TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider) =>
            destination.TryWrite($"{ToString()}", out charsWritten);

        string IFormattable.ToString(string? format, IFormatProvider? formatProvider) => ToString();
    }

    /// <summary>The members of the cluster, as this process knows them.</summary>
    public interface IClusterMembershipService
    {
        /// <summary>The latest snapshot.</summary>
        ClusterMembershipSnapshot CurrentSnapshot { get; }

        /// <summary>The latest snapshot and every later one; some may be skipped, the last never.</summary>
        IAsyncEnumerable<ClusterMembershipSnapshot> MembershipUpdates { get; }

        /// <summary>Reads the table unless the snapshot is at least <paramref name="minimumVersion"/>.</summary>
        ValueTask Refresh(MembershipVersion minimumVersion = default, CancellationToken cancellationToken = default);

        /// <summary>Declares a silo dead; false where that could not be written.</summary>
        Task<bool> TryKill(SiloAddress siloAddress);
    }

    /// <summary>Who this silo is.</summary>
    public interface ILocalSiloDetails
    {
        /// <summary>Its name.</summary>
        string Name { get; }

        /// <summary>The cluster it belongs to.</summary>
        string ClusterId { get; }

        /// <summary>The host.</summary>
        string DnsHostName { get; }

        /// <summary>Its address.</summary>
        SiloAddress SiloAddress { get; }

        /// <summary>The address that clients connect to; null without a gateway.</summary>
        SiloAddress? GatewayAddress { get; }
    }
}
