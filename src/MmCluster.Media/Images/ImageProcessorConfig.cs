using System.Text.Json;

namespace MmCluster.Media.Images;

/// <summary>How a picture becomes an encoder's input: the steps of a checkpoint's image processor, in their order. Immutable.</summary>
public sealed record ImageProcessorConfig
{
    /// <summary>Whether the picture is first put on a square of the mean's colour, as LLaVA's <c>image_aspect_ratio: pad</c>. Default false.</summary>
    public bool PadToSquare { get; init; }

    /// <summary>The resizing; null for none. Default: shortest edge 224.</summary>
    public ResizeRule? Resize { get; init; } = new ResizeRule.ShortestEdge(224);

    /// <summary>The resizing's filter. Default bicubic.</summary>
    public Resampling Resampling { get; init; } = Resampling.Bicubic;

    /// <summary>The middle that is cut out, in pixels; null for none. Default 224 x 224.</summary>
    public (int Width, int Height)? CenterCrop { get; init; } = (224, 224);

    /// <summary>What 0..255 is multiplied by; null for nothing. Default 1/255.</summary>
    public double? RescaleFactor { get; init; } = 1 / 255.0;

    /// <summary>What is subtracted from each of red, green and blue after rescaling; null for no normalization. Default CLIP's.</summary>
    public IReadOnlyList<double>? Mean { get; init; } = ImageProcessorDefaults.ClipMean;

    /// <summary>What each of red, green and blue is divided by after subtraction. Default CLIP's.</summary>
    public IReadOnlyList<double> Std { get; init; } = ImageProcessorDefaults.ClipStd;

    /// <summary>The colour of <see cref="PadToSquare"/>: the mean in 0..255, rounded down; black without a mean.</summary>
    public (byte Red, byte Green, byte Blue) Background => Mean is null
        ? ((byte)0, (byte)0, (byte)0)
        : (Sample(Mean[0]), Sample(Mean[1]), Sample(Mean[2]));

    /// <summary>Reads preprocessor_config.json, or processor_config.json with an <c>image_processor</c> inside.</summary>
    /// <param name="json">The file's bytes.</param>
    /// <param name="name">What errors call it.</param>
    /// <exception cref="InvalidDataException">No JSON object, or a value that cannot be; the message names the key.</exception>
    /// <exception cref="NotSupportedException">A processor or a kind of resizing that is not known here.</exception>
    public static ImageProcessorConfig Parse(ReadOnlyMemory<byte> json, string name)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return new ImageProcessorConfigReader(name).Read(document.RootElement);
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{name}: {error.Message}", error);
        }
    }

    /// <summary>Reads an already parsed configuration.</summary>
    /// <param name="root">The object.</param>
    /// <param name="name">What errors call it.</param>
    /// <exception cref="InvalidDataException">A value that cannot be; the message names the key.</exception>
    /// <exception cref="NotSupportedException">A processor or a kind of resizing that is not known here.</exception>
    public static ImageProcessorConfig Parse(JsonElement root, string name) => new ImageProcessorConfigReader(name).Read(root);

    private static byte Sample(double mean) => (byte)Math.Clamp(mean * 255, 0, 255);
}
