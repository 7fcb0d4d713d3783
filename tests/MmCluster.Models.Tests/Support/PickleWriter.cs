using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace MmCluster.Models.Tests;

/// <summary>Writes pickles and torch.save archives opcode by opcode, as torch does (protocol 2).</summary>
internal sealed class PickleWriter
{
    private readonly List<byte> _bytes = [];

    public PickleWriter() => Bytes(0x80, 2);

    public PickleWriter Bytes(params byte[] bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    public PickleWriter Op(char opcode) => Bytes((byte)opcode);

    public PickleWriter Global(string module, string name) => Op('c').Bytes(Encoding.UTF8.GetBytes($"{module}\n{name}\n"));

    public PickleWriter Text(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        byte[] length = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        return Op('X').Bytes(length).Bytes(bytes);
    }

    public PickleWriter Number(int number)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, number);
        return Op('J').Bytes(bytes);
    }

    public PickleWriter Numbers(params int[] numbers)
    {
        Op('(');
        foreach (int number in numbers)
        {
            Number(number);
        }
        return Op('t');
    }

    /// <summary>Pushes torch._utils._rebuild_tensor_v2 of a storage.</summary>
    public PickleWriter Tensor(string storageClass, string key, int elements, int offset, int[] shape, int[] strides, bool legacy = false)
    {
        Global("torch._utils", "_rebuild_tensor_v2").Op('(').Op('(').Text("storage").Global("torch", storageClass).Text(key).Text("cpu").Number(elements);
        if (legacy)
        {
            Op('N');
        }
        return Op('t').Op('Q').Number(offset).Numbers(shape).Numbers(strides)
            .Bytes(0x89).Global("collections", "OrderedDict").Op(')').Op('R').Op('t').Op('R');
    }

    public byte[] End() => [.. Op('.')._bytes];

    /// <summary>A torch.save archive around a pickle and its storages.</summary>
    public static byte[] Archive(byte[] pickle, params (string Key, byte[] Data)[] storages)
    {
        using MemoryStream stream = new();
        using (ZipArchive archive = new(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            Add(archive, "archive/data.pkl", pickle);
            Add(archive, "archive/byteorder", "little"u8.ToArray());
            foreach ((string key, byte[] data) in storages)
            {
                Add(archive, $"archive/data/{key}", data);
            }
        }
        return stream.ToArray();
    }

    public static byte[] Floats(params float[] values) => [.. values.SelectMany(BitConverter.GetBytes)];

    private static void Add(ZipArchive archive, string name, byte[] data)
    {
        using Stream entry = archive.CreateEntry(name, CompressionLevel.NoCompression).Open();
        entry.Write(data);
    }
}
