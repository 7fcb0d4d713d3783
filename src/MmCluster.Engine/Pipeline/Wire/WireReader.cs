using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace MmCluster.Engine.Pipeline.Wire;

/// <summary>Reads what <see cref="WireExtensions"/> wrote, trusting no length.</summary>
internal ref struct WireReader(ReadOnlySpan<byte> source)
{
    private ReadOnlySpan<byte> _rest = source;

    public int Int() => BinaryPrimitives.ReadInt32LittleEndian(Bytes(sizeof(int)));

    public long Long() => BinaryPrimitives.ReadInt64LittleEndian(Bytes(sizeof(long)));

    public float Float() => BitConverter.Int32BitsToSingle(Int());

    /// <summary>A number in [<paramref name="least"/>, <paramref name="most"/>].</summary>
    public int Int(int least, int most, string what)
    {
        int value = Int();
        return value >= least && value <= most ? value : throw Bad($"{what} is {value}, not in {least}..{most}");
    }

    /// <summary>How many <paramref name="what"/> follow: at most <paramref name="most"/>.</summary>
    public int Count(int most, string what)
    {
        int count = Int();
        return count >= 0 && count <= most ? count : throw Bad($"{count} {what}, at most {most} can be");
    }

    /// <summary>A run of elements, at most <paramref name="most"/>; a view of the message.</summary>
    public ReadOnlySpan<T> All<T>(int most, string what) where T : unmanaged
    {
        int count = Count(most, what);
        return Run<T>(count);
    }

    /// <summary>So many elements; a view of the message.</summary>
    public ReadOnlySpan<T> Run<T>(int count) where T : unmanaged => MemoryMarshal.Cast<byte, T>(Bytes(checked(count * Unsafe.SizeOf<T>())));

    /// <summary>A text of at most <paramref name="most"/> bytes, or null.</summary>
    public string? Text(int most, string what)
    {
        int count = Int(-1, most, what);
        return count < 0 ? null : Encoding.UTF8.GetString(Bytes(count));
    }

    /// <exception cref="InvalidDataException">Something is left.</exception>
    public readonly void End()
    {
        if (_rest.Length != 0)
        {
            throw Bad($"{_rest.Length} bytes too many");
        }
    }

    public static InvalidDataException Bad(string why) => new($"pipeline: a message from another shard is damaged: {why}");

    private ReadOnlySpan<byte> Bytes(int count)
    {
        if (count > _rest.Length)
        {
            throw Bad($"it ends {count - _rest.Length} bytes early");
        }
        ReadOnlySpan<byte> taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}
