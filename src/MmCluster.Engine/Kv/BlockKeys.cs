using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace MmCluster.Engine.Kv;

/// <summary>
/// Names the content of a full KV block: 128 bits of SHA-256 over the parent block's key, the block's token ids and the (key, offset) of each media
/// item that reaches into it. The first parent covers adapter, salt and the KV's format, so one key says everything that the block depends on.
/// </summary>
internal static class BlockKeys
{
    /// <summary>Parent of a sequence's first block. <paramref name="context"/> is what else all of its KV depends on, such as an encoder's input.</summary>
    public static UInt128 Root(string kvFormat, string? adapter, string salt, ReadOnlySpan<byte> context)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, Encoding.UTF8.GetBytes(kvFormat));
        Append(hash, Encoding.UTF8.GetBytes(adapter ?? ""));
        Append(hash, Encoding.UTF8.GetBytes(salt));
        Append(hash, context);
        Span<byte> digest = stackalloc byte[32];
        hash.GetHashAndReset(digest);
        return BinaryPrimitives.ReadUInt128LittleEndian(digest);
    }

    /// <summary>Key of the block at [<paramref name="start"/>, start + tokens) behind <paramref name="parent"/>.</summary>
    public static UInt128 Next(UInt128 parent, ReadOnlySpan<int> tokens, int start, ReadOnlySpan<PromptMedia> media)
    {
        Span<byte> stack = stackalloc byte[512];
        int size = 16 + (4 * tokens.Length);
        int touching = 0;
        foreach (PromptMedia item in media)
        {
            touching += Touches(item, start, tokens.Length) ? 1 : 0;
        }
        size += 20 * touching;
        Span<byte> bytes = size <= stack.Length ? stack[..size] : new byte[size];
        BinaryPrimitives.WriteUInt128LittleEndian(bytes, parent);
        MemoryMarshal.AsBytes(tokens).CopyTo(bytes[16..]);
        Span<byte> rest = bytes[(16 + (4 * tokens.Length))..];
        foreach (PromptMedia item in media)
        {
            if (Touches(item, start, tokens.Length))
            {
                BinaryPrimitives.WriteUInt128LittleEndian(rest, item.Key);
                BinaryPrimitives.WriteInt32LittleEndian(rest[16..], start - item.Position);
                rest = rest[20..];
            }
        }
        Span<byte> digest = stackalloc byte[32];
        SHA256.HashData(bytes, digest);
        return BinaryPrimitives.ReadUInt128LittleEndian(digest);
    }

    private static bool Touches(PromptMedia item, int start, int length) =>
        item.Position < start + length && item.Position + item.Length > start;

    private static void Append(IncrementalHash hash, ReadOnlySpan<byte> bytes)
    {
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        hash.AppendData(length);
        hash.AppendData(bytes);
    }
}
