using System.Buffers.Binary;
using System.Text;

namespace MmCluster.Models.Checkpoints;

/// <summary>
/// Where the members of a zip archive lie, for archives as PyTorch writes them: members stored, not compressed, so that tensors can be read in
/// place. Reads the central directory (zip64 too); APPNOTE.TXT sections 4.3 and 4.5.
/// </summary>
internal static class ZipDirectory
{
    private const uint EndOfDirectory = 0x06054b50;
    private const uint Zip64EndOfDirectory = 0x06064b50;
    private const uint Zip64Locator = 0x07064b50;
    private const uint CentralHeader = 0x02014b50;
    private const uint LocalHeader = 0x04034b50;
    private const int MaxMembers = 1_000_000;

    /// <summary>Member names to (offset of the data, length).</summary>
    /// <exception cref="InvalidDataException">Damaged, truncated, or a compressed or encrypted member.</exception>
    public static Dictionary<string, (long Offset, long Length)> Read(MappedFile file)
    {
        (long at, long count) = FindDirectory(file);
        if (count > MaxMembers)
        {
            throw Bad(file, $"{count} members, at most {MaxMembers} are read");
        }
        Dictionary<string, (long, long)> members = [];
        for (long i = 0; i < count; i++)
        {
            at = ReadMember(file, at, members);
        }
        return members;
    }

    private static (long Offset, long Count) FindDirectory(MappedFile file)
    {
        long lowest = Math.Max(0, file.Length - 22 - ushort.MaxValue);
        for (long at = file.Length - 22; at >= lowest; at--)
        {
            ReadOnlySpan<byte> end = file.Span(at, 22, "end of the zip directory");
            if (BinaryPrimitives.ReadUInt32LittleEndian(end) != EndOfDirectory)
            {
                continue;
            }
            long count = BinaryPrimitives.ReadUInt16LittleEndian(end[10..]);
            long offset = BinaryPrimitives.ReadUInt32LittleEndian(end[16..]);
            return count == ushort.MaxValue || offset == uint.MaxValue ? FindZip64Directory(file, at) : (offset, count);
        }
        throw Bad(file, "no zip directory at the end: truncated");
    }

    private static (long Offset, long Count) FindZip64Directory(MappedFile file, long end)
    {
        ReadOnlySpan<byte> locator = file.Span(end - 20, 20, "zip64 locator");
        if (BinaryPrimitives.ReadUInt32LittleEndian(locator) != Zip64Locator)
        {
            throw Bad(file, "the zip64 locator is missing");
        }
        ReadOnlySpan<byte> directory = file.Span(BinaryPrimitives.ReadInt64LittleEndian(locator[8..]), 56, "zip64 directory");
        return BinaryPrimitives.ReadUInt32LittleEndian(directory) == Zip64EndOfDirectory
            ? (BinaryPrimitives.ReadInt64LittleEndian(directory[48..]), BinaryPrimitives.ReadInt64LittleEndian(directory[32..]))
            : throw Bad(file, "the zip64 directory is missing");
    }

    private static long ReadMember(MappedFile file, long at, Dictionary<string, (long, long)> members)
    {
        ReadOnlySpan<byte> header = file.Span(at, 46, "zip member header");
        if (BinaryPrimitives.ReadUInt32LittleEndian(header) != CentralHeader)
        {
            throw Bad(file, $"no zip member header at {at}");
        }
        int nameLength = BinaryPrimitives.ReadUInt16LittleEndian(header[28..]);
        int extraLength = BinaryPrimitives.ReadUInt16LittleEndian(header[30..]);
        int commentLength = BinaryPrimitives.ReadUInt16LittleEndian(header[32..]);
        string name = Encoding.UTF8.GetString(file.Span(at + 46, nameLength, "zip member name"));
        if ((BinaryPrimitives.ReadUInt16LittleEndian(header[8..]) & 1) != 0 || BinaryPrimitives.ReadUInt16LittleEndian(header[10..]) != 0)
        {
            throw Bad(file, $"member '{name}' is compressed or encrypted; PyTorch stores members plainly");
        }
        long length = BinaryPrimitives.ReadUInt32LittleEndian(header[24..]);
        long local = BinaryPrimitives.ReadUInt32LittleEndian(header[42..]);
        ReadZip64(file, file.Span(at + 46 + nameLength, extraLength, "zip member extra"), header, ref length, ref local);

        ReadOnlySpan<byte> localHeader = file.Span(local, 30, $"header of member '{name}'");
        if (BinaryPrimitives.ReadUInt32LittleEndian(localHeader) != LocalHeader)
        {
            throw Bad(file, $"member '{name}' has no header at {local}");
        }
        long data = local + 30 + BinaryPrimitives.ReadUInt16LittleEndian(localHeader[26..]) + BinaryPrimitives.ReadUInt16LittleEndian(localHeader[28..]);
        if (length < 0 || data > file.Length - length)
        {
            throw Bad(file, $"member '{name}' needs {length} bytes at {data}, the file has {file.Length}");
        }
        if (!members.TryAdd(name, (data, length)))
        {
            throw Bad(file, $"member '{name}' is there twice");
        }
        return at + 46 + nameLength + extraLength + commentLength;
    }

    // Extra field 1 holds, in this order, those of uncompressed size, compressed size and offset that are all ones in the header.
    private static void ReadZip64(MappedFile file, ReadOnlySpan<byte> extra, ReadOnlySpan<byte> header, ref long length, ref long local)
    {
        while (extra.Length >= 4)
        {
            int id = BinaryPrimitives.ReadUInt16LittleEndian(extra);
            int size = BinaryPrimitives.ReadUInt16LittleEndian(extra[2..]);
            if (size > extra.Length - 4)
            {
                throw Bad(file, "a zip member's extra field is cut off");
            }
            if (id == 1)
            {
                ReadOnlySpan<byte> values = extra.Slice(4, size);
                Take(ref values, length == uint.MaxValue, ref length);
                long ignored = 0;
                Take(ref values, BinaryPrimitives.ReadUInt32LittleEndian(header[20..]) == uint.MaxValue, ref ignored);
                Take(ref values, local == uint.MaxValue, ref local);
            }
            extra = extra[(4 + size)..];
        }
    }

    private static void Take(ref ReadOnlySpan<byte> values, bool present, ref long value)
    {
        if (present && values.Length >= 8)
        {
            value = BinaryPrimitives.ReadInt64LittleEndian(values);
            values = values[8..];
        }
    }

    private static InvalidDataException Bad(MappedFile file, string what) => new($"{file.Path}: {what}");
}
