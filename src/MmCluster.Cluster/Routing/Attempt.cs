using System.Threading.Channels;
using MmCluster.Engine;
using MmCluster.Models;

namespace MmCluster.Cluster.Routing;

/// <summary>Why nothing more comes of an attempt.</summary>
internal enum AttemptEnd
{
    /// <summary>It goes on.</summary>
    None,

    /// <summary>Its replica is gone: replay on another.</summary>
    Lost,

    /// <summary>Its reader was too far behind: replay when it has caught up.</summary>
    Paused,

    /// <summary>It cannot be done; see the error.</summary>
    Failed,
}

/// <summary>One submission of a request to one replica: the replica's stream writes entries, the request reads them.</summary>
internal sealed class Attempt(long handle, string request, int cost)
{
    /// <summary>Entries that may wait for a slow reader before the request is paused.</summary>
    public const int MaxBehind = 1024;

    // Not told of its single reader: such a channel does not count.
    private readonly Channel<SequenceOutput> _entries = Channel.CreateUnbounded<SequenceOutput>(new UnboundedChannelOptions { SingleWriter = true });
    private int _end;

    public long Handle => handle;

    /// <summary>The client's request id.</summary>
    public string Request => request;

    /// <summary>What it adds to its replica's load.</summary>
    public int Cost => cost;

    public ChannelReader<SequenceOutput> Entries => _entries.Reader;

    public AttemptEnd End => (AttemptEnd)Volatile.Read(ref _end);

    public MmException? Error { get; private set; }

    /// <summary>Takes an entry. False when the reader is too far behind: the attempt is over then.</summary>
    public bool Deliver(in SequenceOutput entry)
    {
        if (End != AttemptEnd.None)
        {
            return true;
        }
        _entries.Writer.TryWrite(entry);
        return _entries.Reader.Count < MaxBehind || !Finish(AttemptEnd.Paused);
    }

    /// <summary>Ends it, unless it has ended.</summary>
    public bool Finish(AttemptEnd end, MmException? error = null)
    {
        if (Interlocked.CompareExchange(ref _end, (int)end, (int)AttemptEnd.None) != (int)AttemptEnd.None)
        {
            return false;
        }
        Error = error;
        _entries.Writer.TryComplete();
        return true;
    }
}
