using System.Buffers.Binary;
using System.Numerics;

namespace MmCluster.Models.Checkpoints;

/// <summary>
/// Reads what torch.save wrote: the zip format (PyTorch 1.6 and later) and the legacy one before it (magic number, protocol version, system
/// info, object, storage keys, storages, all pickled in a row). Nested dictionaries become keys joined with dots; what is no tensor is left out.
/// </summary>
internal static class TorchFile
{
    private const int MaxEntries = 4_000_000;
    private const int MaxDepth = 16;
    private const int MaxRank = 8;

    private static readonly BigInteger LegacyMagic = BigInteger.Parse("119547037146038801333356", System.Globalization.CultureInfo.InvariantCulture);

    public static List<StoredTensor> Read(MappedFile file)
    {
        try
        {
            bool zip = file.Length >= 4 && BinaryPrimitives.ReadUInt32LittleEndian(file.Span(0, 4, "magic")) == 0x04034b50;
            return zip ? ReadZip(file) : ReadLegacy(file);
        }
        catch (InvalidDataException error) when (!error.Message.StartsWith(file.Path, StringComparison.Ordinal))
        {
            throw new InvalidDataException($"{file.Path}: {error.Message}", error);
        }
    }

    private static List<StoredTensor> ReadZip(MappedFile file)
    {
        Dictionary<string, (long Offset, long Length)> members = ZipDirectory.Read(file);
        string pickle = members.Keys.FirstOrDefault(name => name == "data.pkl" || name.EndsWith("/data.pkl", StringComparison.Ordinal))
            ?? throw new InvalidDataException("a zip archive without data.pkl: not made by torch.save");
        string folder = pickle[..^"data.pkl".Length];
        if (members.TryGetValue(folder + "byteorder", out (long Offset, long Length) order)
            && !file.Span(order.Offset, order.Length, "byteorder").SequenceEqual("little"u8))
        {
            throw new NotSupportedException($"{file.Path}: tensors are stored big-endian");
        }
        (long at, long length) = members[pickle];
        object? root = new Unpickler(file.Span(at, length, "data.pkl")).Load();
        return Collect(file, root, storage =>
            members.TryGetValue($"{folder}data/{storage.Key}", out (long Offset, long Length) member)
                ? member
                : throw new InvalidDataException($"storage '{storage.Key}' is missing in the archive"));
    }

    private static List<StoredTensor> ReadLegacy(MappedFile file)
    {
        long at = 0;
        if (Load(file, ref at) is not BigInteger magic || magic != LegacyMagic)
        {
            throw new InvalidDataException("neither a zip archive nor PyTorch's legacy format");
        }
        if (Load(file, ref at) is not 1001L)
        {
            throw new InvalidDataException("an unknown version of PyTorch's legacy format; known: 1001");
        }
        if (Load(file, ref at) is PickleDictionary info
            && info.Items.Any(item => item is { Key: "little_endian", Value: false }))
        {
            throw new NotSupportedException($"{file.Path}: tensors are stored big-endian");
        }
        object? root = Load(file, ref at);
        List<object?> keys = Load(file, ref at) as List<object?> ?? throw new InvalidDataException("the list of storages is missing");

        // The element size is known only from the object's persistent ids, so the storages' places are found while walking in that order.
        Dictionary<string, PickleStorage> storages = [];
        Walk(root, "", 0, new Budget(MaxEntries), (_, tensor) => storages.TryAdd(tensor.Storage.Key, tensor.Storage));
        Dictionary<string, (long Offset, long Length)> places = [];
        foreach (object? key in keys)
        {
            if (key is not string name || !storages.TryGetValue(name, out PickleStorage? storage))
            {
                throw new InvalidDataException($"storage '{key}' belongs to no tensor");
            }
            long elements = BinaryPrimitives.ReadInt64LittleEndian(file.Span(at, 8, $"storage '{name}'"));
            if (elements < 0 || elements > (file.Length - at - 8) / storage.Type.Size())
            {
                throw new InvalidDataException($"storage '{name}' claims {elements} elements, the file ends before: truncated");
            }
            places[name] = (at + 8, elements * storage.Type.Size());
            at += 8 + (elements * storage.Type.Size());
        }
        return Collect(file, root, storage =>
            places.TryGetValue(storage.Key, out (long Offset, long Length) place)
                ? place
                : throw new InvalidDataException($"storage '{storage.Key}' is missing"));
    }

    private static object? Load(MappedFile file, ref long at)
    {
        Unpickler unpickler = new(file.Span(at, Math.Min(file.Length - at, int.MaxValue), "pickle"));
        object? value = unpickler.Load();
        at += unpickler.Position;
        return value;
    }

    private static List<StoredTensor> Collect(MappedFile file, object? root, Func<PickleStorage, (long Offset, long Length)> place)
    {
        if (root is not PickleDictionary)
        {
            throw new InvalidDataException("holds no dictionary of tensors");
        }
        List<StoredTensor> tensors = [];
        HashSet<string> keys = [];
        Walk(root, "", 0, new Budget(MaxEntries), (key, tensor) =>
        {
            if (!keys.Add(key))
            {
                throw new InvalidDataException($"tensor '{key}' is there twice");
            }
            tensors.Add(ToStored(file, key, tensor, place(tensor.Storage)));
        });
        return tensors;
    }

    private static StoredTensor ToStored(MappedFile file, string key, PickleTensor tensor, (long Offset, long Length) place)
    {
        if (tensor.Shape.Length != tensor.Strides.Length || tensor.Shape.Length > MaxRank
            || tensor.Shape.Any(size => size < 0) || tensor.Strides.Any(stride => stride < 0) || tensor.Offset < 0 || tensor.Storage.Offset < 0)
        {
            throw new InvalidDataException($"tensor '{key}' has an impossible shape, stride or offset");
        }
        int size = tensor.Storage.Type.Size();
        Int128 last = (Int128)tensor.Storage.Offset + tensor.Offset;
        Int128 count = 1;
        for (int i = 0; i < tensor.Shape.Length; i++)
        {
            last += (Int128)Math.Max(tensor.Shape[i] - 1, 0) * tensor.Strides[i];
            count = Int128.Min(count * tensor.Shape[i], long.MaxValue);
        }
        // A stride of 0 repeats elements, so the count has a bound of its own.
        if (count > 0 && ((last + 1) * size > place.Length || count * size > file.Length * (Int128)16))
        {
            throw new InvalidDataException($"tensor '{key}' of shape [{string.Join(", ", tensor.Shape)}] reaches behind its storage of {place.Length} bytes");
        }
        long first = count > 0 ? place.Offset + ((tensor.Storage.Offset + tensor.Offset) * size) : place.Offset;
        return new StoredTensor(key, tensor.Storage.Type, tensor.Shape, tensor.Strides, file, first);
    }

    private static void Walk(object? value, string path, int depth, Budget budget, Action<string, PickleTensor> found)
    {
        if (depth > MaxDepth || !budget.Spend())
        {
            throw new InvalidDataException($"dictionaries nest deeper than {MaxDepth} or hold over {MaxEntries} entries");
        }
        switch (value)
        {
            case PickleTensor tensor:
                found(path, tensor);
                break;
            case PickleDictionary dictionary:
                foreach ((object key, object? item) in dictionary.Items)
                {
                    string name = key as string ?? Convert.ToString(key, System.Globalization.CultureInfo.InvariantCulture) ?? "";
                    Walk(item, path.Length == 0 ? name : $"{path}.{name}", depth + 1, budget, found);
                }
                break;
            default:
                break;
        }
    }

    private sealed class Budget(int entries)
    {
        private int _left = entries;

        public bool Spend() => --_left >= 0;
    }
}
