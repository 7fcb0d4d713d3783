using MmCluster.Models.Checkpoints;
using MmCluster.Tensors;

namespace MmCluster.Models.Verification;

/// <summary>A golden case of a network: its folder, its class, inputs <c>in.*</c> and expected outputs <c>out.*</c> of io.safetensors.</summary>
internal sealed class GoldenCase : IDisposable
{
    private readonly Checkpoint _io;

    public GoldenCase(string folder)
    {
        Folder = folder;
        _io = Checkpoint.Open(Path.Combine(folder, "io.safetensors"));
        ClassName = ReadClass(folder);
    }

    public string Folder { get; }

    /// <summary>The class in config.json, else in meta.json; null where neither says it.</summary>
    public string? ClassName { get; }

    /// <summary>Names of the expected outputs without <c>out.</c>, in order.</summary>
    public IEnumerable<string> Outputs => _io.Tensors.Keys.Where(key => key.StartsWith("out.", StringComparison.Ordinal)).Select(key => key[4..]).Order(StringComparer.Ordinal);

    public StoredTensor Expected(string output) => _io.Tensors["out." + output];

    public bool Has(string input) => _io.Tensors.ContainsKey("in." + input);

    /// <summary>An input in F32.</summary>
    public Tensor Floats(string input)
    {
        StoredTensor stored = Input(input);
        Tensor tensor = Tensor.Empty(new Shape([.. stored.Shape.Select(size => checked((int)size))]));
        stored.Read(0, tensor.AsSpan<float>());
        return tensor;
    }

    /// <summary>An input of ids or flags, [rows, columns].</summary>
    public int[,] Ids(string input)
    {
        StoredTensor stored = Input(input);
        if (stored.Shape.Count != 2 || stored.ElementCount == 0)
        {
            throw new InvalidDataException($"{stored.File}: in.{input} is [{string.Join(", ", stored.Shape)}], expected [rows, columns]");
        }
        long[] values = stored.ReadIntegers();
        int[,] ids = new int[stored.Shape[0], stored.Shape[1]];
        for (int i = 0; i < values.Length; i++)
        {
            ids[i / stored.Shape[1], i % stored.Shape[1]] = checked((int)values[i]);
        }
        return ids;
    }

    public void Dispose() => _io.Dispose();

    private StoredTensor Input(string input) => _io.Tensors.TryGetValue("in." + input, out StoredTensor? stored)
        ? stored
        : throw new InvalidDataException($"{Folder}: io.safetensors has no in.{input}, which {ClassName} needs");

    private static string? ReadClass(string folder)
    {
        string config = Path.Combine(folder, "config.json");
        string meta = Path.Combine(folder, "meta.json");
        return (File.Exists(config) && ModelConfig.Read(config).Texts("architectures") is [var first, ..] ? first : null)
            ?? (File.Exists(meta) ? ModelConfig.Read(meta).TryText("class") : null);
    }
}
