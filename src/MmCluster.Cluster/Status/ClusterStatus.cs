namespace MmCluster.Cluster.Status;

/// <summary>The cluster at one moment.</summary>
[GenerateSerializer, Immutable, Alias("mm.ClusterStatus")]
public sealed record ClusterStatus(IReadOnlyList<NodeStatus> Nodes, IReadOnlyList<ModelStatus> Models, IReadOnlyList<StageStatus> Stages);

/// <summary>A node: a process that runs stages.</summary>
[GenerateSerializer, Immutable, Alias("mm.NodeStatus")]
public sealed record NodeStatus
{
    /// <summary>The silo's name.</summary>
    [Id(0)]
    public required string Name { get; init; }

    /// <summary>The silo's address.</summary>
    [Id(1)]
    public required string Address { get; init; }

    /// <summary>Its <c>mm.role</c>.</summary>
    [Id(2)]
    public string Role { get; init; } = "";

    /// <summary>Its <c>mm.zone</c>.</summary>
    [Id(3)]
    public string Zone { get; init; } = "";

    /// <summary>Whether it is being taken out of service.</summary>
    [Id(4)]
    public bool Draining { get; init; }

    /// <summary>Its devices.</summary>
    [Id(5)]
    public IReadOnlyList<DeviceStatus> Devices { get; init; } = [];

    /// <summary>Bytes of tensors that it holds for others.</summary>
    [Id(6)]
    public long LeasedBytes { get; init; }

    /// <summary>Bytes of its GPUs that hold rows for the next pipeline shard; 0 where rows go through the host's memory.</summary>
    [Id(7)]
    public long DeviceLeasedBytes { get; init; }
}

/// <summary>A device and its memory.</summary>
/// <param name="Name">cpu or cuda:N.</param>
/// <param name="CapacityBytes">What stages may use; 0 where none can run.</param>
/// <param name="ReservedBytes">What the ledger has given away.</param>
[GenerateSerializer, Immutable, Alias("mm.DeviceStatus")]
public sealed record DeviceStatus(string Name, long CapacityBytes, long ReservedBytes)
{
    /// <summary>What a GPU is, as its driver calls it; empty for the processor.</summary>
    [Id(0)]
    public string Model { get; init; } = "";

    /// <summary>What names a GPU on every node of its machine; empty for the processor.</summary>
    [Id(1)]
    public string Uuid { get; init; } = "";

    /// <summary>A GPU's compute capability, such as 9.0; empty for the processor.</summary>
    [Id(2)]
    public string ComputeCapability { get; init; } = "";

    /// <summary>All of its memory; 0 where that is not told.</summary>
    [Id(3)]
    public long TotalBytes { get; init; }

    /// <summary>What no process has taken of a GPU; null where nobody tells.</summary>
    [Id(4)]
    public long? FreeBytes { get; init; }

    /// <summary>Whether it is of no more use to its node's process, which has to be restarted.</summary>
    [Id(5)]
    public bool Lost { get; init; }
}

/// <summary>A model: what should run and what does.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Revision">The revision that is wanted.</param>
/// <param name="ServingRevision">The revision that takes requests, or null.</param>
/// <param name="Components">Desired and actual replicas.</param>
/// <param name="Problem">What keeps it from being as it should, or null.</param>
[GenerateSerializer, Immutable, Alias("mm.ModelStatus")]
public sealed record ModelStatus(
    string Name, string Revision, string? ServingRevision, IReadOnlyList<ComponentStatus> Components, string? Problem);

/// <summary>Replicas of a component.</summary>
[GenerateSerializer, Immutable, Alias("mm.ComponentStatus")]
public sealed record ComponentStatus(string Name, int Desired, int Ready);

/// <summary>Where a stage is in its life.</summary>
[GenerateSerializer, Alias("mm.StageState")]
public enum StageState
{
    /// <summary>Weights are being read.</summary>
    Loading,

    /// <summary>It has run a warm-up and takes requests.</summary>
    Ready,

    /// <summary>It takes no new requests and ends when its own have.</summary>
    Draining,

    /// <summary>It could not be loaded, or broke.</summary>
    Failed,
}

/// <summary>One stage on one node.</summary>
[GenerateSerializer, Immutable, Alias("mm.StageStatus")]
public sealed record StageStatus
{
    /// <summary>The key of its grain.</summary>
    [Id(0)]
    public required string Key { get; init; }

    /// <summary>The models that use it: several may share an encoder.</summary>
    [Id(1)]
    public required IReadOnlyList<string> Models { get; init; }

    /// <summary>The models' revision; empty for a shared stage.</summary>
    [Id(2)]
    public string Revision { get; init; } = "";

    /// <summary>The component's name.</summary>
    [Id(3)]
    public required string Component { get; init; }

    /// <summary>Which replica.</summary>
    [Id(4)]
    public int Replica { get; init; }

    /// <summary>Which shard of a backbone's replica; 0 elsewhere.</summary>
    [Id(5)]
    public int Shard { get; init; }

    /// <summary>The node's address.</summary>
    [Id(6)]
    public required string Node { get; init; }

    /// <summary>The device.</summary>
    [Id(7)]
    public string Device { get; init; } = "cpu";

    /// <summary>Where it is in its life.</summary>
    [Id(8)]
    public StageState State { get; init; }

    /// <summary>Why it failed, or null.</summary>
    [Id(9)]
    public string? Problem { get; init; }

    /// <summary>What it has to do.</summary>
    [Id(10)]
    public StageLoad Load { get; init; } = new();
}

/// <summary>What a stage has to do.</summary>
[GenerateSerializer, Immutable, Alias("mm.StageLoad")]
public sealed record StageLoad
{
    /// <summary>Sequences or items being computed.</summary>
    [Id(0)]
    public int Running { get; init; }

    /// <summary>Sequences or items that wait.</summary>
    [Id(1)]
    public int Waiting { get; init; }

    /// <summary>Cost units accepted and not finished.</summary>
    [Id(2)]
    public int QueueUsed { get; init; }

    /// <summary>Cost units accepted at most.</summary>
    [Id(3)]
    public int QueueLimit { get; init; }

    /// <summary>Time that it computed, in seconds since it was loaded.</summary>
    [Id(4)]
    public double BusySeconds { get; init; }

    /// <summary>Share of KV blocks in use, 0 to 1.</summary>
    [Id(5)]
    public double KvCacheUsage { get; init; }

    /// <summary>Requests that it finished.</summary>
    [Id(6)]
    public long Finished { get; init; }

    /// <summary>Items that were in a cache, or positions found in the prefix cache.</summary>
    [Id(7)]
    public long CacheHits { get; init; }

    /// <summary>Items or positions looked up there.</summary>
    [Id(8)]
    public long CacheQueries { get; init; }

    /// <summary>Items of an encoder's caches that requests hold.</summary>
    [Id(9)]
    public int CacheHeld { get; init; }

    /// <summary>How long requests or items waited here until they were computed; null where the stage does not tell.</summary>
    [Id(10)]
    public DurationCounts? QueueTimes { get; init; }

    /// <summary>How long its steps or batches took; null where the stage does not tell.</summary>
    [Id(11)]
    public DurationCounts? BusyTimes { get; init; }
}

/// <summary>Durations, counted under fixed bounds.</summary>
/// <param name="Counts">How many were at most each of <see cref="Bounds"/> and above the one before; one more for those above the last.</param>
/// <param name="SumSeconds">All of them together.</param>
[GenerateSerializer, Immutable, Alias("mm.DurationCounts")]
public sealed record DurationCounts(long[] Counts, double SumSeconds)
{
    /// <summary>The bounds, in seconds.</summary>
    public static IReadOnlyList<double> Bounds { get; } = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
}

/// <summary>How far a drain is.</summary>
/// <param name="Running">Requests that still run on the node.</param>
/// <param name="Stages">Stages still on it.</param>
/// <param name="Done">Whether nothing is left.</param>
[GenerateSerializer, Immutable, Alias("mm.DrainProgress")]
public sealed record DrainProgress(int Running, int Stages, bool Done)
{
    /// <summary>What keeps the node's models from moving away, such as no room elsewhere; or null.</summary>
    [Id(0)]
    public string? Problem { get; init; }
}
