using MmCluster.Models.Checkpoints;

namespace MmCluster.Models.Catalog;

/// <summary>Ids that begin and end sequences: generation_config.json's where it has them, else config.json's (or its <c>text_config</c>'s).</summary>
public sealed record SpecialTokenIds
{
    /// <summary>Ids that end a sequence; may be empty.</summary>
    public IReadOnlyList<int> Eos { get; init; } = [];

    /// <summary>The id that begins a sequence, or null.</summary>
    public int? Bos { get; init; }

    /// <summary>First id of an encoder-decoder's decoder, or null.</summary>
    public int? DecoderStart { get; init; }

    /// <summary>The placeholder id at whose places features stand, or null.</summary>
    public int? Media { get; init; }

    /// <summary>Reads the ids of a folder whose config.json is <paramref name="config"/>.</summary>
    public static SpecialTokenIds Read(string folder, ModelConfig config)
    {
        string file = Path.Combine(folder, "generation_config.json");
        ModelConfig? generation = File.Exists(file) ? ModelConfig.Read(file) : null;
        ModelConfig? text = config.TrySection("text_config");
        ModelConfig[] places = [.. new[] { generation, config, text }.OfType<ModelConfig>()];
        return new SpecialTokenIds
        {
            Eos = places.Select(place => place.Wholes("eos_token_id")).FirstOrDefault(ids => ids.Count > 0) ?? [],
            Bos = places.Select(place => place.TryWhole("bos_token_id")).FirstOrDefault(id => id is not null),
            DecoderStart = places.Select(place => place.TryWhole("decoder_start_token_id")).FirstOrDefault(id => id is not null),
            Media = config.TryWhole("image_token_id", "image_token_index", "video_token_id", "video_token_index"),
        };
    }
}
