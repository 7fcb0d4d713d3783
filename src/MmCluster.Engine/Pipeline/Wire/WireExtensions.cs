using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace MmCluster.Engine.Pipeline.Wire;

/// <summary>Writes numbers as the wire has them: little-endian, arrays as their memory is on every machine that .NET runs on.</summary>
internal static class WireExtensions
{
    public static void Put(this IBufferWriter<byte> target, int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(target.GetSpan(sizeof(int)), value);
        target.Advance(sizeof(int));
    }

    public static void Put(this IBufferWriter<byte> target, long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(target.GetSpan(sizeof(long)), value);
        target.Advance(sizeof(long));
    }

    public static void Put(this IBufferWriter<byte> target, float value) => target.Put(BitConverter.SingleToInt32Bits(value));

    /// <summary>A length in elements, then the elements.</summary>
    public static void PutAll<T>(this IBufferWriter<byte> target, ReadOnlySpan<T> values) where T : unmanaged
    {
        target.Put(values.Length);
        target.Write(MemoryMarshal.AsBytes(values));
    }

    /// <summary>A text as UTF-8, -1 for null.</summary>
    public static void Put(this IBufferWriter<byte> target, string? text)
    {
        if (text is null)
        {
            target.Put(-1);
            return;
        }
        target.PutAll<byte>(Encoding.UTF8.GetBytes(text));
    }
}
