using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using MmCluster.Models.Cards;
using MmCluster.Models.Checkpoints;

namespace MmCluster.Models.Catalog;

/// <summary>
/// Size and identity of a component without loading it. Components of equal digest compute the same: network, configuration, weights, element type and
/// preprocessing are equal, whatever model or file they come from.
/// </summary>
public sealed class ComponentIdentity
{
    private const int Chunk = 1 << 20;

    private static readonly string[] PreprocessingFiles = ["preprocessor_config.json", "processor_config.json"];

    private readonly string _folder;
    private readonly ModelCard _card;
    private readonly ComponentCard _component;
    private readonly LoadOptions _options;

    /// <summary>A component of a model in a folder.</summary>
    public ComponentIdentity(string folder, ModelCard card, ComponentCard component, LoadOptions options) =>
        (_folder, _card, _component, _options) = (folder, card, component, options);

    /// <summary>Elements of its tensors.</summary>
    /// <exception cref="FileNotFoundException">The checkpoint is missing.</exception>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public long CountElements()
    {
        using Checkpoint checkpoint = Open();
        return Own(checkpoint).Sum(tensor => tensor.Tensor.ElementCount);
    }

    /// <summary>128 bits of SHA-256 as 32 hexadecimal digits; reads all of its weights.</summary>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A damaged file.</exception>
    public string ComputeDigest()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, _component.Network);
        Append(hash, _options.For(_component.Kind).Matrices.ToString());
        Append(hash, Configuration());
        Append(hash, _component.Config?.GetRawText() ?? "");
        Append(hash, Preprocessing());
        using Checkpoint checkpoint = Open();
        foreach ((string name, StoredTensor tensor) in Own(checkpoint).OrderBy(tensor => tensor.Name, StringComparer.Ordinal))
        {
            Append(hash, $"{name} {tensor.Type} {string.Join('x', tensor.Shape)}");
            Append(hash, tensor);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16));
    }

    private Checkpoint Open() => Checkpoint.Open(WeightGroup.FolderOf(_folder, _component, _options));

    // Its tensors, named as they are below its own prefix, so that the same encoder in two models has the same names.
    private IEnumerable<(string Name, StoredTensor Tensor)> Own(Checkpoint checkpoint)
    {
        KeyMap map = _card.Components.Where(other => other.Weights == _component.Weights)
            .Aggregate(new KeyMap(), (map, component) => map.Then(component.Keys));
        string prefix = _component.Prefix.TrimEnd('.');
        foreach ((string key, StoredTensor tensor) in checkpoint.Tensors)
        {
            string name = map.Map(key);
            if (prefix.Length == 0 || name.StartsWith(prefix + '.', StringComparison.Ordinal))
            {
                yield return (prefix.Length == 0 ? name : name[(prefix.Length + 1)..], tensor);
            }
        }
    }

    private string Configuration()
    {
        using JsonDocument config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(_folder, "config.json")));
        JsonElement section = config.RootElement;
        if (_component.Weights is null)
        {
            foreach (string name in _component.ConfigSection.Split('.', StringSplitOptions.RemoveEmptyEntries))
            {
                if (section.ValueKind != JsonValueKind.Object || !section.TryGetProperty(name, out section))
                {
                    return "";
                }
            }
        }
        return JsonSerializer.Serialize(section);
    }

    private string Preprocessing()
    {
        if (_component.Preprocess is { } steps)
        {
            return steps.GetRawText();
        }
        string? file = PreprocessingFiles.Select(name => Path.Combine(_folder, name)).FirstOrDefault(File.Exists);
        return file is null ? "" : File.ReadAllText(file);
    }

    private static void Append(IncrementalHash hash, string text) => hash.AppendData(Encoding.UTF8.GetBytes(text + '\0'));

    private static unsafe void Append(IncrementalHash hash, StoredTensor tensor)
    {
        if (!tensor.IsContiguous)
        {
            float[] values = new float[checked((int)tensor.ElementCount)];
            tensor.Read(0, values);
            hash.AppendData(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()));
            return;
        }
        for (long at = 0; at < tensor.Bytes; at += Chunk)
        {
            hash.AppendData(new ReadOnlySpan<byte>(tensor.Pointer + at, (int)Math.Min(Chunk, tensor.Bytes - at)));
        }
        tensor.Release(0, tensor.ElementCount);
    }
}
