using MmCluster.Models;

namespace MmCluster.Engine.Pipeline;

/// <summary>
/// The sending end of an ordered channel between two shards. Frames are preallocated on both sides and bound what is in flight. One thread at a time, except for
/// <see cref="IDisposable.Dispose"/>, which any thread may call and which ends waiting on either end.
/// </summary>
public interface IShardWriter : IDisposable
{
    /// <summary>Waits for a free frame and hands it out, empty.</summary>
    /// <exception cref="MmException">Unavailable: the channel is closed or broken.</exception>
    ShardFrame Begin();

    /// <summary>Sends the frame that <see cref="Begin"/> gave.</summary>
    /// <exception cref="MmException">Unavailable: the channel is closed or broken.</exception>
    void Send();

    /// <summary>Says that nobody writes to the frame of the last <see cref="Begin"/> any more, sent or not: for who ends. The memory of a closed channel goes then.</summary>
    void Drop();
}

/// <summary>The receiving end. One thread at a time, except for <see cref="IDisposable.Dispose"/>, as with <see cref="IShardWriter"/>.</summary>
public interface IShardReader : IDisposable
{
    /// <summary>
    /// False once it is closed or broken. The sender's memory may be used for something else from then on: what was computed from rows is worth something only if this
    /// holds afterwards.
    /// </summary>
    bool IsOpen { get; }

    /// <summary>Waits for the next message. It is the caller's until <see cref="Release"/>.</summary>
    /// <exception cref="MmException">Unavailable: the channel is closed or broken.</exception>
    ShardFrame Receive();

    /// <summary>Gives the message of the last <see cref="Receive"/> back, so that its frame may be filled again; on a closed channel, so that its memory may go.</summary>
    void Release();
}
