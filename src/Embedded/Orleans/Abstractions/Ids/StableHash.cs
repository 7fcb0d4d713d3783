using System.Buffers.Binary;
using System.Numerics;

namespace Orleans.Runtime.Internal;

/// <summary>A 32-bit hash that is the same in every process and release: placement and directory depend on it.</summary>
internal static class StableHash
{
    public static uint Compute(ReadOnlySpan<byte> bytes)
    {
        uint hash = 0x9E3779B9u ^ (uint)bytes.Length;
        while (bytes.Length >= 4)
        {
            hash = Mix(hash, BinaryPrimitives.ReadUInt32LittleEndian(bytes));
            bytes = bytes[4..];
        }
        uint tail = 0;
        for (int i = 0; i < bytes.Length; i++)
        {
            tail |= (uint)bytes[i] << (8 * i);
        }
        return Mix(hash, tail);
    }

    /// <summary>One round of murmur's mixing with its finisher's first half, so that short keys spread.</summary>
    public static uint Mix(uint hash, uint value)
    {
        unchecked
        {
            value *= 0xCC9E2D51u;
            value = BitOperations.RotateLeft(value, 15) * 0x1B873593u;
            hash = (BitOperations.RotateLeft(hash ^ value, 13) * 5) + 0xE6546B64u;
            hash ^= hash >> 16;
            return hash * 0x85EBCA6Bu;
        }
    }

    public static uint Compute(string text)
    {
        Span<byte> buffer = stackalloc byte[256];
        return System.Text.Encoding.UTF8.TryGetBytes(text, buffer, out int count)
            ? Compute(buffer[..count])
            : Compute(System.Text.Encoding.UTF8.GetBytes(text));
    }
}
