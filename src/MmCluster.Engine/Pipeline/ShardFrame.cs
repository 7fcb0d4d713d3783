using System.Buffers;
using MmCluster.Tensors;

namespace MmCluster.Engine.Pipeline;

/// <summary>One message between shards: a header of any length and rows of activations. Its memory stays and is filled again and again.</summary>
/// <param name="rows">[capacity, width] F32, in the host's memory or on a GPU, where the channel put it; null on a channel without activations.</param>
public sealed class ShardFrame(Tensor? rows)
{
    private Tensor? _taken;

    /// <summary>Memory for activations, null on a channel without.</summary>
    public Tensor? Rows { get; } = rows;

    /// <summary>How many of <see cref="Rows"/> this message carries.</summary>
    public int RowCount { get; set; }

    /// <summary>The header; grows to the largest one seen.</summary>
    public ArrayBufferWriter<byte> Header { get; } = new(1024);

    /// <summary>Bytes of activations that this message carries.</summary>
    public long RowBytes => Rows is null ? 0 : (long)RowCount * Rows.Size(1) * sizeof(float);

    /// <summary>Empties it.</summary>
    public void Clear()
    {
        Header.ResetWrittenCount();
        RowCount = 0;
    }

    /// <summary>The rows of this message, null where there are none: a view that stays until their number changes. Call it outside any tensor scope.</summary>
    public Tensor? TakeRows()
    {
        if (RowCount == 0)
        {
            return null;
        }
        if (_taken is null || _taken.Size(0) != RowCount)
        {
            _taken?.Dispose();
            _taken = Rows!.Slice(0, 0, RowCount);
        }
        return _taken;
    }
}
