using System.Buffers.Binary;

namespace MmCluster.Models.Checkpoints;

/// <summary>
/// The tensors of a checkpoint: a file, or a folder with one file or with shards and their index. Files stay mapped until it is disposed.
/// Reading is thread-safe.
/// </summary>
public sealed class Checkpoint : IDisposable
{
    // In the order in which Hugging Face's libraries prefer them.
    private static readonly string[] KnownNames =
    [
        "model.safetensors.index.json", "model.safetensors",
        "diffusion_pytorch_model.safetensors.index.json", "diffusion_pytorch_model.safetensors",
        "pytorch_model.bin.index.json", "pytorch_model.bin",
        "diffusion_pytorch_model.bin",
    ];

    private static readonly string[] KnownEndings = [".safetensors", ".bin", ".pt", ".pth", ".ckpt"];

    private readonly Dictionary<string, StoredTensor> _tensors;
    private readonly List<MappedFile> _files;

    private Checkpoint(string path, Dictionary<string, StoredTensor> tensors, List<MappedFile> files)
    {
        Path = path;
        _tensors = tensors;
        _files = files;
    }

    /// <summary>
    /// A checkpoint without files that has every tensor a network asks for, with values made from <paramref name="seed"/> (vLLM's <c>--load-format dummy</c>).
    /// </summary>
    /// <param name="path">The folder of the configuration, for errors.</param>
    /// <param name="seed">Which values.</param>
    public static Checkpoint Dummy(string path, ulong seed) => new(path, [], []) { DummySeed = seed };

    /// <summary>The seed of <see cref="Dummy"/>; null when files hold the tensors.</summary>
    public ulong? DummySeed { get; private init; }

    /// <summary>The file or folder it was opened from.</summary>
    public string Path { get; }

    /// <summary>All tensors, by the name in the file.</summary>
    public IReadOnlyDictionary<string, StoredTensor> Tensors => _tensors;

    /// <summary>The files that hold them.</summary>
    public IReadOnlyList<string> Files => [.. _files.Select(file => file.Path)];

    /// <summary>Opens a checkpoint file, or the one in a folder.</summary>
    /// <exception cref="FileNotFoundException">There is no such file, or the folder holds no checkpoint or several without a known name.</exception>
    /// <exception cref="InvalidDataException">Damaged, truncated, or a pickle that names something else than tensors and containers.</exception>
    /// <exception cref="NotSupportedException">An element type that is not read.</exception>
    public static Checkpoint Open(string path)
    {
        string file = Directory.Exists(path) ? Find(path) : path;
        if (!File.Exists(file))
        {
            throw new FileNotFoundException($"{file}: no such checkpoint", file);
        }
        List<MappedFile> files = [];
        try
        {
            Dictionary<string, StoredTensor> tensors = file.EndsWith(".index.json", StringComparison.Ordinal)
                ? ReadShards(file, files)
                : ReadFile(file, files).ToDictionary(tensor => tensor.Key);
            return new Checkpoint(path, tensors, files);
        }
        catch
        {
            files.ForEach(opened => opened.Dispose());
            throw;
        }
    }

    /// <summary>Whether a folder holds something that <see cref="Open"/> would read.</summary>
    public static bool Exists(string folder) =>
        KnownNames.Any(name => File.Exists(System.IO.Path.Combine(folder, name))) || Candidates(folder).Length == 1;

    /// <inheritdoc/>
    public void Dispose() => _files.ForEach(file => file.Dispose());

    private static string Find(string folder)
    {
        string? known = KnownNames.Select(name => System.IO.Path.Combine(folder, name)).FirstOrDefault(File.Exists);
        string[] candidates = known is null ? Candidates(folder) : [];
        return known ?? candidates switch
        {
            [string only] => only,
            [] => throw new FileNotFoundException($"{folder}: no checkpoint (known: {string.Join(", ", KnownNames)}, or one file *{string.Join(", *", KnownEndings)})"),
            _ => throw new FileNotFoundException(
                $"{folder}: several checkpoint files and none has a known name: {string.Join(", ", candidates.Select(System.IO.Path.GetFileName))}; name one"),
        };
    }

    private static string[] Candidates(string folder) =>
        [.. Directory.EnumerateFiles(folder)
            .Where(file => KnownEndings.Any(ending => file.EndsWith(ending, StringComparison.Ordinal)))
            .Where(file => System.IO.Path.GetFileName(file) is not ("io.safetensors" or "training_args.bin" or "optimizer.bin"))
            .Order(StringComparer.Ordinal)];

    private static Dictionary<string, StoredTensor> ReadShards(string index, List<MappedFile> files)
    {
        Dictionary<string, string> map = ShardIndex.Read(index);
        string folder = System.IO.Path.GetDirectoryName(index)!;
        Dictionary<string, StoredTensor> result = new(map.Count);
        foreach (IGrouping<string, KeyValuePair<string, string>> shard in map.GroupBy(entry => entry.Value))
        {
            string path = System.IO.Path.Combine(folder, shard.Key);
            if (!File.Exists(path))
            {
                throw new FileNotFoundException($"{path}: missing; {System.IO.Path.GetFileName(index)} lists {shard.Count()} tensors in it", path);
            }
            Dictionary<string, StoredTensor> tensors = ReadFile(path, files).ToDictionary(tensor => tensor.Key);
            foreach ((string key, _) in shard)
            {
                result[key] = tensors.TryGetValue(key, out StoredTensor? tensor)
                    ? tensor
                    : throw new InvalidDataException($"{path}: tensor '{key}' is not in it, though {System.IO.Path.GetFileName(index)} says so");
            }
        }
        return result;
    }

    private static List<StoredTensor> ReadFile(string path, List<MappedFile> files)
    {
        MappedFile file = new(path);
        files.Add(file);
        return LooksLikeSafetensors(file) ? SafetensorsFile.Read(file) : TorchFile.Read(file);
    }

    // By content where it is plain, by name where a damaged file should be called what it claims to be.
    private static bool LooksLikeSafetensors(MappedFile file)
    {
        if (file.Path.EndsWith(".safetensors", StringComparison.Ordinal))
        {
            return true;
        }
        return file.Length > 9
            && BinaryPrimitives.ReadUInt64LittleEndian(file.Span(0, 8, "magic")) < 100_000_000
            && file.Span(8, 1, "magic")[0] == (byte)'{';
    }
}
