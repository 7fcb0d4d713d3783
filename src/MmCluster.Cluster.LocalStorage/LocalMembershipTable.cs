using System.Globalization;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.Messaging;

namespace MmCluster.Cluster.LocalStorage;

/// <summary>The membership table of a cluster on one machine, in one file; no silo is its primary.</summary>
public sealed class LocalMembershipTable : IMembershipTable
{
    private readonly LocalFolder _folder;
    private readonly string _file;

    /// <summary>The table of the options' cluster in the options' folder.</summary>
    public LocalMembershipTable(IOptions<LocalFolderOptions> folder, IOptions<ClusterOptions> cluster, TimeProvider time)
    {
        _folder = new LocalFolder(folder.Value.Folder, time);
        _file = FileOf(cluster.Value.ClusterId);
    }

    /// <inheritdoc/>
    public async Task InitializeMembershipTable(bool tryInitTableVersion)
    {
        using IDisposable held = await _folder.LockAsync(_file);
        if (tryInitTableVersion && await _folder.ReadAsync<Table>(_file) is null)
        {
            await _folder.WriteAsync(_file, new Table(), durable: false);
        }
    }

    /// <inheritdoc/>
    public async Task DeleteMembershipTableEntries(string clusterId)
    {
        using IDisposable held = await _folder.LockAsync(FileOf(clusterId));
        _folder.Delete(FileOf(clusterId));
    }

    /// <inheritdoc/>
    public async Task CleanupDefunctSiloEntries(DateTimeOffset beforeDate)
    {
        using IDisposable held = await _folder.LockAsync(_file);
        Table table = await ReadAsync();
        if (table.Rows.RemoveAll(row => row.Status != SiloStatus.Active && row.IAmAliveTime < beforeDate.UtcDateTime) > 0)
        {
            await _folder.WriteAsync(_file, table, durable: false);
        }
    }

    /// <inheritdoc/>
    public async Task<MembershipTableData> ReadRow(SiloAddress key)
    {
        Table table = await ReadAsync();
        string address = key.ToParsableString();
        return new MembershipTableData([.. table.Rows.Where(row => row.Silo == address).Select(row => row.ToEntry())], table.ToVersion());
    }

    /// <inheritdoc/>
    public async Task<MembershipTableData> ReadAll()
    {
        Table table = await ReadAsync();
        return new MembershipTableData([.. table.Rows.Select(row => row.ToEntry())], table.ToVersion());
    }

    /// <inheritdoc/>
    public Task<bool> InsertRow(MembershipEntry entry, TableVersion tableVersion) => WriteRowAsync(entry, null, tableVersion);

    /// <inheritdoc/>
    public Task<bool> UpdateRow(MembershipEntry entry, string etag, TableVersion tableVersion) => WriteRowAsync(entry, etag, tableVersion);

    /// <inheritdoc/>
    public async Task UpdateIAmAlive(MembershipEntry entry)
    {
        using IDisposable held = await _folder.LockAsync(_file);
        Table table = await ReadAsync();
        string address = entry.SiloAddress.ToParsableString();
        if (table.Rows.Find(row => row.Silo == address) is { } row)
        {
            row.IAmAliveTime = entry.IAmAliveTime;
            await _folder.WriteAsync(_file, table, durable: false);
        }
    }

    internal static string FileOf(string clusterId) => $"membership-{Uri.EscapeDataString(clusterId)}.json";

    private async Task<Table> ReadAsync() => await _folder.ReadAsync<Table>(_file) ?? new Table();

    private async Task<bool> WriteRowAsync(MembershipEntry entry, string? etag, TableVersion next)
    {
        using IDisposable held = await _folder.LockAsync(_file);
        Table table = await ReadAsync();
        string address = entry.SiloAddress.ToParsableString();
        Row? present = table.Rows.Find(row => row.Silo == address);
        if (table.ToVersion().VersionEtag != next.VersionEtag || table.Version + 1 != next.Version || present?.Etag != etag)
        {
            return false;
        }
        if (present is not null)
        {
            table.Rows.Remove(present);
        }
        table.Rows.Add(Row.Of(entry));
        table.Version = next.Version;
        await _folder.WriteAsync(_file, table, durable: false);
        return true;
    }

    /// <summary>The file.</summary>
    internal sealed class Table
    {
        public int Version { get; set; }

        public List<Row> Rows { get; set; } = [];

        public TableVersion ToVersion() => new(Version, Version.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>A silo's part of the file.</summary>
    internal sealed class Row
    {
        public string Silo { get; set; } = "";

        public string Etag { get; set; } = "";

        public SiloStatus Status { get; set; }

        public string? SiloName { get; set; }

        public string? HostName { get; set; }

        public int ProxyPort { get; set; }

        public DateTime StartTime { get; set; }

        public DateTime IAmAliveTime { get; set; }

        public List<Vote> Votes { get; set; } = [];

        public static Row Of(MembershipEntry entry) => new()
        {
            Silo = entry.SiloAddress.ToParsableString(),
            Etag = Guid.NewGuid().ToString("N"),
            Status = entry.Status,
            SiloName = entry.SiloName,
            HostName = entry.HostName,
            ProxyPort = entry.ProxyPort,
            StartTime = entry.StartTime,
            IAmAliveTime = entry.IAmAliveTime,
            Votes = [.. (entry.SuspectTimes ?? []).Select(vote => new Vote(vote.Item1.ToParsableString(), vote.Item2))],
        };

        public Tuple<MembershipEntry, string> ToEntry() => Tuple.Create(
            new MembershipEntry
            {
                SiloAddress = SiloAddress.FromParsableString(Silo),
                Status = Status,
                SiloName = SiloName ?? "",
                HostName = HostName ?? "",
                ProxyPort = ProxyPort,
                StartTime = StartTime,
                IAmAliveTime = IAmAliveTime,
                SuspectTimes = [.. Votes.Select(vote => Tuple.Create(SiloAddress.FromParsableString(vote.By), vote.At))],
            },
            Etag);
    }

    /// <summary>Who suspects a silo, and since when.</summary>
    internal sealed record Vote(string By, DateTime At);
}

/// <summary>The gateways of the active silos in a <see cref="LocalMembershipTable"/>.</summary>
public sealed class LocalGatewayListProvider : IGatewayListProvider
{
    private readonly LocalMembershipTable _table;

    /// <summary>The gateways of the options' cluster.</summary>
    public LocalGatewayListProvider(IOptions<LocalFolderOptions> folder, IOptions<ClusterOptions> cluster, TimeProvider time) =>
        _table = new LocalMembershipTable(folder, cluster, time);

    /// <inheritdoc/>
    public TimeSpan MaxStaleness => TimeSpan.FromSeconds(1);

    /// <inheritdoc/>
    public bool IsUpdatable => true;

    /// <inheritdoc/>
    public Task InitializeGatewayListProvider() => Task.CompletedTask;

    /// <inheritdoc/>
    public async Task<IList<Uri>> GetGateways() =>
        [.. (await _table.ReadAll()).Members.Select(row => row.Item1)
            .Where(entry => entry.Status == SiloStatus.Active && entry.ProxyPort != 0)
            .Select(entry => new Uri($"gwy.tcp://{entry.SiloAddress.Endpoint.Address}:{entry.ProxyPort}/{entry.SiloAddress.Generation}"))];
}
