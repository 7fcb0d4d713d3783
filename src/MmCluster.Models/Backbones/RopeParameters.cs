using MmCluster.Models.Checkpoints;

namespace MmCluster.Models.Backbones;

/// <summary>
/// Rotary position embedding (arXiv 2104.09864, rotate-half form) with the scaling types of transformers' modeling_rope_utils: default, linear,
/// dynamic, llama3, yarn, longrope. Angles are rounded to F32 where transformers rounds them.
/// </summary>
public sealed class RopeParameters
{
    /// <summary>
    /// Configuration key (of cards, not of Hugging Face) for models whose frequencies were rounded with their weights: PyTorch's
    /// <c>model.bfloat16()</c> rounds buffers too, and angles then differ visibly.
    /// </summary>
    public const string FrequencyType = "rope_frequency_dtype";

    private static readonly string[] KnownTypes = ["default", "linear", "dynamic", "llama3", "yarn", "longrope"];

    private readonly float[] _frequencies;

    private RopeParameters(float[] frequencies, float attentionFactor, int maxLength)
    {
        _frequencies = frequencies;
        AttentionFactor = attentionFactor;
        MaxLength = maxLength;
    }

    /// <summary>Elements of a head.</summary>
    public int Dimensions => _frequencies.Length * 2;

    /// <summary>Radians a position, one for each pair (i, i + Dimensions / 2).</summary>
    public ReadOnlySpan<float> Frequencies => _frequencies;

    /// <summary>What cosines and sines are multiplied with (yarn, longrope).</summary>
    public float AttentionFactor { get; }

    /// <summary>
    /// Longest sequence with these frequencies. dynamic and longrope change them with the sequence's length; one table then serves only up to the
    /// length where they would change, so that a token's result never depends on what follows it.
    /// </summary>
    public int MaxLength { get; }

    /// <summary>
    /// Reads <c>rope_parameters</c> (transformers 5) or <c>rope_theta</c> with <c>rope_scaling</c> (before, and preferred where a file has both).
    /// </summary>
    /// <param name="config">The text network's configuration.</param>
    /// <param name="headDim">Elements of a head.</param>
    /// <param name="maxLength"><c>max_position_embeddings</c>.</param>
    /// <exception cref="InvalidDataException">A missing or impossible value.</exception>
    /// <exception cref="NotSupportedException">An unknown type; the message lists the known ones.</exception>
    public static RopeParameters Read(ModelConfig config, int headDim, int maxLength)
    {
        ModelConfig? scaling = config.TrySection("rope_scaling", "rope_parameters");
        double theta = scaling?.Has("rope_theta") == true ? scaling.NumberOr(10000, "rope_theta") : config.NumberOr(10000, "rope_theta", "rotary_emb_base");
        if (!(theta > 0) || !double.IsFinite(theta) || headDim % 2 != 0)
        {
            throw config.Bad("rope", $"has theta {theta} and heads of {headDim} elements: impossible");
        }
        string type = scaling?.TextOr("default", "rope_type", "type") ?? "default";
        double[] exact = [.. Enumerable.Range(0, headDim / 2).Select(i => 1 / Math.Pow(theta, 2.0 * i / headDim))];
        RopeParameters parameters = type switch
        {
            "default" => new RopeParameters(ToSingle(exact), 1, maxLength),
            "dynamic" => new RopeParameters(ToSingle(exact), 1, maxLength),
            "linear" => new RopeParameters(ToSingle(exact, 1 / Positive(scaling!, "factor")), 1, maxLength),
            "llama3" => Llama3(config, scaling!, exact, maxLength),
            "yarn" => Yarn(config, scaling!, exact, theta, maxLength),
            "longrope" => LongRope(config, scaling!, exact, maxLength),
            _ => throw new NotSupportedException($"{scaling!.Place}: rope_type '{type}' is not known; known: {string.Join(", ", KnownTypes)}"),
        };
        return config.TextOr("float32", FrequencyType) switch
        {
            "float32" => parameters,
            "bfloat16" => new RopeParameters([.. parameters._frequencies.Select(ToBFloat16)], parameters.AttentionFactor, parameters.MaxLength),
            var other => throw new NotSupportedException($"{config.Place}: {FrequencyType} '{other}' is not known; known: float32, bfloat16"),
        };
    }

    /// <summary>Fills cosines and sines of one position, each Dimensions / 2 long.</summary>
    public void Angles(int position, Span<float> cosines, Span<float> sines)
    {
        for (int i = 0; i < _frequencies.Length; i++)
        {
            float angle = position * _frequencies[i];
            cosines[i] = (float)Math.Cos(angle) * AttentionFactor;
            sines[i] = (float)Math.Sin(angle) * AttentionFactor;
        }
    }

    // Llama 3.1: long wavelengths are stretched by the factor, short ones kept, those between are interpolated.
    private static RopeParameters Llama3(ModelConfig config, ModelConfig scaling, double[] exact, int maxLength)
    {
        double factor = Positive(scaling, "factor");
        double low = Positive(scaling, "low_freq_factor");
        double high = Positive(scaling, "high_freq_factor");
        double length = OriginalLength(config, scaling, maxLength);
        double[] scaled = [.. exact.Select(frequency =>
        {
            double wavelength = 2 * Math.PI / frequency;
            if (wavelength < length / high)
            {
                return frequency;
            }
            if (wavelength > length / low)
            {
                return frequency / factor;
            }
            double smooth = ((length / wavelength) - low) / (high - low);
            return ((1 - smooth) * frequency / factor) + (smooth * frequency);
        })];
        return new RopeParameters(ToSingle(scaled), 1, maxLength);
    }

    // arXiv 2309.00071: interpolate slow dimensions, keep fast ones, ramp between; scale attention by 0.1 ln(factor) + 1.
    private static RopeParameters Yarn(ModelConfig config, ModelConfig scaling, double[] exact, double theta, int maxLength)
    {
        double length = OriginalLength(config, scaling, maxLength);
        double factor = scaling.Has("factor") ? Positive(scaling, "factor") : maxLength / length;
        int dimensions = exact.Length * 2;
        double low = CorrectionDimension(NumberOr(scaling, 32, "beta_fast"));
        double high = CorrectionDimension(NumberOr(scaling, 1, "beta_slow"));
        if (scaling.BoolOr(true, "truncate"))
        {
            (low, high) = (Math.Floor(low), Math.Ceiling(high));
        }
        (low, high) = (Math.Max(low, 0), Math.Min(high, dimensions - 1));
        double width = high == low ? 0.001 : high - low;
        double[] scaled = [.. exact.Select((frequency, i) =>
        {
            double keep = 1 - Math.Clamp((i - low) / width, 0, 1);
            return (frequency / factor * (1 - keep)) + (frequency * keep);
        })];
        double mscale = scaling.NumberOr(0, "mscale");
        double mscaleAll = scaling.NumberOr(0, "mscale_all_dim");
        double attention = mscale != 0 && mscaleAll != 0 ? Magnitude(mscale) / Magnitude(mscaleAll) : Magnitude(1);
        return new RopeParameters(ToSingle(scaled), (float)scaling.NumberOr(attention, "attention_factor"), maxLength);

        double CorrectionDimension(double rotations) => dimensions * Math.Log(length / (rotations * 2 * Math.PI)) / (2 * Math.Log(theta));
        double Magnitude(double scale) => factor <= 1 ? 1 : (0.1 * scale * Math.Log(factor)) + 1;
    }

    private static RopeParameters LongRope(ModelConfig config, ModelConfig scaling, double[] exact, int maxLength)
    {
        IReadOnlyList<double> factors = scaling.Numbers("short_factor");
        if (factors.Count != exact.Length || factors.Any(factor => factor <= 0))
        {
            throw scaling.Bad("short_factor", $"holds {factors.Count} values, expected {exact.Length} positive ones");
        }
        int original = OriginalLength(config, scaling, maxLength);
        double factor = scaling.Has("factor") ? Positive(scaling, "factor") : (double)maxLength / original;
        double attention = factor <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(factor) / Math.Log(original)));
        double[] scaled = [.. exact.Select((frequency, i) => frequency / factors[i])];
        return new RopeParameters(ToSingle(scaled), (float)scaling.NumberOr(attention, "attention_factor"), Math.Min(original, maxLength));
    }

    // What the model was trained with before its positions were stretched. Phi-3 keeps it beside the scaling, which wins.
    private static int OriginalLength(ModelConfig config, ModelConfig scaling, int maxLength) =>
        config.TryWhole("original_max_position_embeddings") is not null
            ? config.Size("original_max_position_embeddings")
            : scaling.SizeOr(maxLength, "original_max_position_embeddings");

    // 0 means the default, as in the reference.
    private static double NumberOr(ModelConfig scaling, double otherwise, string name) => scaling.NumberOr(otherwise, name) is not 0 and var value ? value : otherwise;

    private static float[] ToSingle(double[] frequencies, double scale = 1) => [.. frequencies.Select(frequency => (float)(frequency * scale))];

    // To the nearest, ties to even.
    private static float ToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000);
    }

    private static double Positive(ModelConfig scaling, string name) => scaling.NumberOr(0, name) is > 0 and var value && double.IsFinite(value)
        ? value
        : throw scaling.Bad(name, "is missing or not above 0");
}
