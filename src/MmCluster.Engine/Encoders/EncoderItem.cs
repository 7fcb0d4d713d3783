using MmCluster.Tensors;

namespace MmCluster.Engine.Encoders;

/// <summary>One media item on its way through an encoder, or its features in the cache.</summary>
internal sealed class EncoderItem(UInt128 key)
{
    public UInt128 Key { get; } = key;

    /// <summary>When it was asked for first, as <see cref="System.Diagnostics.Stopwatch"/> counts.</summary>
    public long AskedAt { get; } = System.Diagnostics.Stopwatch.GetTimestamp();

    /// <summary>Completes with the features [rows, width], which stay valid while somebody holds a lease.</summary>
    public TaskCompletionSource<Tensor> Features { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Stops its preparation when nobody wants it any more.</summary>
    public CancellationTokenSource Stop { get; } = new();

    /// <summary>Leases not yet given back.</summary>
    public int Holders { get; set; }

    /// <summary>Bytes its features take, once they are there.</summary>
    public long Bytes { get; set; }

    /// <summary>Its place among cached items nobody holds.</summary>
    public LinkedListNode<EncoderItem>? IdleNode { get; set; }
}

/// <summary>A claim on an item's features; disposing it lets them go.</summary>
public sealed class EncoderLease : IDisposable
{
    private readonly EncoderItem _item;
    private Action<EncoderItem>? _release;

    internal EncoderLease(EncoderItem item, Action<EncoderItem> release)
    {
        _item = item;
        _release = release;
    }

    /// <summary>The features [rows, width]; the tensor is valid until the lease is disposed.</summary>
    public Task<Tensor> Features => _item.Features.Task;

    /// <inheritdoc/>
    public void Dispose() => Interlocked.Exchange(ref _release, null)?.Invoke(_item);
}

/// <summary>A preprocessed item.</summary>
/// <param name="Values">Its elements, row-major.</param>
/// <param name="Shape">Their shape without the batch axis; items of one shape may share a batch.</param>
/// <param name="Cost">What it adds to a batch: pixels of a picture.</param>
public sealed record EncoderInput(float[] Values, int[] Shape, long Cost);
