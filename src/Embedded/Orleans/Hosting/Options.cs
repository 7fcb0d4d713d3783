using System.Net;

namespace Orleans.Configuration;

/// <summary>Which cluster a process belongs to.</summary>
public class ClusterOptions
{
    /// <summary>The cluster of those who name none.</summary>
    public const string DefaultClusterId = "default";

    /// <summary>The service of those who name none.</summary>
    public const string DefaultServiceId = "default";

    /// <summary>Silos and clients with the same id find each other; a deployment.</summary>
    public string ClusterId { get; set; } = DefaultClusterId;

    /// <summary>Names the stored data; outlives deployments.</summary>
    public string ServiceId { get; set; } = DefaultServiceId;
}

/// <summary>Timeouts and sizes of messages.</summary>
public abstract class MessagingOptions
{
    /// <summary>Called by derived classes.</summary>
    protected MessagingOptions()
    {
    }

    /// <summary>How long a call waits for its answer; 30 s.</summary>
    public TimeSpan ResponseTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The most bytes of a message's header; 10 MiB.</summary>
    public int MaxMessageHeaderSize { get; set; } = 10 * 1024 * 1024;

    /// <summary>The most bytes of a message's body; 100 MiB.</summary>
    public int MaxMessageBodySize { get; set; } = 100 * 1024 * 1024;

    /// <summary>Whether a call that times out is cancelled at its grain too; no.</summary>
    public bool CancelRequestOnTimeout { get; set; }

    /// <summary>Whether a cancelled call waits until its grain has acknowledged that; no.</summary>
    public bool WaitForCancellationAcknowledgement { get; set; }
}

/// <summary>Timeouts and sizes of a client's messages.</summary>
public class ClientMessagingOptions : MessagingOptions
{
    /// <summary>The defaults.</summary>
    public ClientMessagingOptions()
    {
    }
}

/// <summary>Timeouts and sizes of a silo's messages.</summary>
public class SiloMessagingOptions : MessagingOptions
{
    /// <summary>The defaults.</summary>
    public SiloMessagingOptions()
    {
    }

    /// <summary>How often a message to a grain that has moved is sent on; 2.</summary>
    public int MaxForwardCount { get; set; } = 2;

    /// <summary>How long a client may be away before its observers are given up; 60 s.</summary>
    public TimeSpan ClientDropTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>How many calls may wait for one activation before more are rejected; 0 for no limit.</summary>
    public int MaxEnqueuedRequestsHardLimit { get; set; }

    /// <summary>How long the runtime's own messages wait for their answers; 30 s.</summary>
    public TimeSpan SystemResponseTimeout { get; set; } = TimeSpan.FromSeconds(30);
}

/// <summary>How silos watch each other.</summary>
public class ClusterMembershipOptions
{
    /// <summary>The defaults.</summary>
    public ClusterMembershipOptions()
    {
    }

    /// <summary>Whether silos probe each other and declare others dead; yes.</summary>
    public bool LivenessEnabled { get; set; } = true;

    /// <summary>The time between probes, and how long one may take; 5 s.</summary>
    public TimeSpan ProbeTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How often the table is read without need; 60 s.</summary>
    public TimeSpan TableRefreshTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a vote against a silo counts; 120 s.</summary>
    public TimeSpan DeathVoteExpirationTimeout { get; set; } = TimeSpan.FromSeconds(120);

    /// <summary>How often a silo writes that it is alive; 30 s.</summary>
    public TimeSpan IAmAliveTablePublishTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a silo tries to join; 5 minutes.</summary>
    public TimeSpan MaxJoinAttemptTime { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How many other silos a silo probes; 10.</summary>
    public int NumProbedSilos { get; set; } = 10;

    /// <summary>How many probes in a row must fail before a silo votes; 3.</summary>
    public int NumMissedProbesLimit { get; set; } = 3;

    /// <summary>How many votes make a silo dead, or half of the others if that is fewer; 2.</summary>
    public int NumVotesForDeathDeclaration { get; set; } = 2;

    /// <summary>How long rows of dead silos are kept; 7 days.</summary>
    public TimeSpan DefunctSiloExpiration { get; set; } = TimeSpan.FromDays(7);

    /// <summary>How often rows of dead silos are removed; one hour, null for never.</summary>
    public TimeSpan? DefunctSiloCleanupPeriod { get; set; } = TimeSpan.FromHours(1);
}

/// <summary>Where a silo listens.</summary>
public class EndpointOptions
{
    /// <summary>The default of <see cref="SiloPort"/>.</summary>
    public const int DEFAULT_SILO_PORT = 11111;

    /// <summary>The default of <see cref="GatewayPort"/>.</summary>
    public const int DEFAULT_GATEWAY_PORT = 30000;

    /// <summary>The defaults.</summary>
    public EndpointOptions()
    {
    }

    /// <summary>The address that others connect to; loopback here.</summary>
    public IPAddress AdvertisedIPAddress { get; set; } = IPAddress.Loopback;

    /// <summary>The port for silos.</summary>
    public int SiloPort { get; set; } = DEFAULT_SILO_PORT;

    /// <summary>The port for clients; 0 for none.</summary>
    public int GatewayPort { get; set; } = DEFAULT_GATEWAY_PORT;

    /// <summary>Where to listen for silos, if that is not the advertised address.</summary>
    public IPEndPoint? SiloListeningEndpoint { get; set; }

    /// <summary>Where to listen for clients, if that is not the advertised address.</summary>
    public IPEndPoint? GatewayListeningEndpoint { get; set; }
}

/// <summary>When idle activations are collected.</summary>
public class GrainCollectionOptions
{
    /// <summary>The default of <see cref="CollectionQuantum"/>: one minute.</summary>
    public static readonly TimeSpan DEFAULT_COLLECTION_QUANTUM = TimeSpan.FromMinutes(1);

    /// <summary>The default of <see cref="ActivationTimeout"/>: 30 s.</summary>
    public static readonly TimeSpan DEFAULT_ACTIVATION_TIMEOUT = TimeSpan.FromSeconds(30);

    /// <summary>The default of <see cref="DeactivationTimeout"/>: 30 s.</summary>
    public static readonly TimeSpan DEFAULT_DEACTIVATION_TIMEOUT = TimeSpan.FromSeconds(30);

    /// <summary>The defaults.</summary>
    public GrainCollectionOptions()
    {
    }

    /// <summary>The time between two searches for idle activations.</summary>
    public TimeSpan CollectionQuantum { get; set; } = DEFAULT_COLLECTION_QUANTUM;

    /// <summary>How long an activation may be idle; 15 minutes.</summary>
    public TimeSpan CollectionAge { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>Other ages, by the grain class's full name.</summary>
    public Dictionary<string, TimeSpan> ClassSpecificCollectionAge { get; set; } = [];

    /// <summary>How long an activation may take to start.</summary>
    public TimeSpan ActivationTimeout { get; set; } = DEFAULT_ACTIVATION_TIMEOUT;

    /// <summary>How long an activation may take to end.</summary>
    public TimeSpan DeactivationTimeout { get; set; } = DEFAULT_DEACTIVATION_TIMEOUT;
}

/// <summary>How turns share threads.</summary>
public class SchedulingOptions
{
    /// <summary>The default of <see cref="ActivationSchedulingQuantum"/>: 100 ms.</summary>
    public static readonly TimeSpan DEFAULT_ACTIVATION_SCHEDULING_QUANTUM = TimeSpan.FromMilliseconds(100);

    /// <summary>The default of <see cref="TurnWarningLengthThreshold"/>: 1 s.</summary>
    public static readonly TimeSpan DEFAULT_TURN_WARNING_THRESHOLD = TimeSpan.FromMilliseconds(1_000);

    /// <summary>The defaults.</summary>
    public SchedulingOptions()
    {
    }

    /// <summary>How long an activation may keep a thread while others wait.</summary>
    public TimeSpan ActivationSchedulingQuantum { get; set; } = DEFAULT_ACTIVATION_SCHEDULING_QUANTUM;

    /// <summary>A turn longer than this is logged.</summary>
    public TimeSpan TurnWarningLengthThreshold { get; set; } = DEFAULT_TURN_WARNING_THRESHOLD;
}
