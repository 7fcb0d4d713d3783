using System.Globalization;
using Orleans.Messaging;

namespace Orleans.Runtime.Membership;

/// <summary>A membership table for silos of one process.</summary>
internal sealed class InMemoryMembershipTable : IMembershipTable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<SiloAddress, (MembershipEntry Entry, int Etag)> _rows = [];
    private int _version;
    private int _etags;

    public Task InitializeMembershipTable(bool tryInitTableVersion) => Task.CompletedTask;

    public Task DeleteMembershipTableEntries(string clusterId)
    {
        lock (_lock)
        {
            _rows.Clear();
        }
        return Task.CompletedTask;
    }

    public Task CleanupDefunctSiloEntries(DateTimeOffset beforeDate)
    {
        lock (_lock)
        {
            foreach ((SiloAddress silo, (MembershipEntry entry, _)) in _rows.ToArray())
            {
                if (entry.Status == SiloStatus.Dead && entry.IAmAliveTime < beforeDate.UtcDateTime)
                {
                    _rows.Remove(silo);
                }
            }
        }
        return Task.CompletedTask;
    }

    public Task<MembershipTableData> ReadRow(SiloAddress key)
    {
        lock (_lock)
        {
            return Task.FromResult(_rows.TryGetValue(key, out (MembershipEntry Entry, int Etag) row)
                ? new MembershipTableData(Tuple(row), Version) : new MembershipTableData(Version));
        }
    }

    public Task<MembershipTableData> ReadAll()
    {
        lock (_lock)
        {
            return Task.FromResult(new MembershipTableData([.. _rows.Values.Select(Tuple)], Version));
        }
    }

    public Task<bool> InsertRow(MembershipEntry entry, TableVersion tableVersion) => Write(entry, null, tableVersion);

    public Task<bool> UpdateRow(MembershipEntry entry, string etag, TableVersion tableVersion) => Write(entry, etag, tableVersion);

    public Task UpdateIAmAlive(MembershipEntry entry)
    {
        lock (_lock)
        {
            if (_rows.TryGetValue(entry.SiloAddress, out (MembershipEntry Entry, int Etag) row))
            {
                row.Entry.IAmAliveTime = entry.IAmAliveTime;
            }
        }
        return Task.CompletedTask;
    }

    private TableVersion Version => new(_version, _version.ToString(CultureInfo.InvariantCulture));

    private static Tuple<MembershipEntry, string> Tuple((MembershipEntry Entry, int Etag) row) =>
        System.Tuple.Create(row.Entry.Copy(), row.Etag.ToString(CultureInfo.InvariantCulture));

    private Task<bool> Write(MembershipEntry entry, string? etag, TableVersion next)
    {
        lock (_lock)
        {
            bool exists = _rows.TryGetValue(entry.SiloAddress, out (MembershipEntry Entry, int Etag) row);
            if (next.VersionEtag != Version.VersionEtag || next.Version != _version + 1 || exists != (etag is not null)
                || (exists && etag != row.Etag.ToString(CultureInfo.InvariantCulture)))
            {
                return Task.FromResult(false);
            }
            _rows[entry.SiloAddress] = (entry.Copy(), ++_etags);
            _version = next.Version;
            return Task.FromResult(true);
        }
    }
}

/// <summary>The gateways of the active silos in a membership table of this process.</summary>
internal sealed class TableGateways(IMembershipTable table) : IGatewayListProvider
{
    public TimeSpan MaxStaleness => TimeSpan.FromSeconds(1);

    public bool IsUpdatable => true;

    public Task InitializeGatewayListProvider() => Task.CompletedTask;

    public async Task<IList<Uri>> GetGateways() =>
        [.. (await table.ReadAll()).Members.Select(row => row.Item1)
            .Where(entry => entry.Status == SiloStatus.Active && entry.ProxyPort != 0)
            .Select(entry => new Uri($"gwy.tcp://{entry.SiloAddress.Endpoint.Address}:{entry.ProxyPort}/{entry.SiloAddress.Generation}"))];
}
