namespace MmCluster.Media.Images;

/// <summary>What transformers' image processor classes do where their file says nothing.</summary>
/// <param name="Config">The steps.</param>
/// <param name="SquareSize">Whether a size given as one number means a square, not the shortest edge.</param>
/// <param name="PadsToSquare">Whether <c>do_pad</c> means LLaVA's padding; the others ignore the key.</param>
internal sealed record ImageProcessorDefaults(ImageProcessorConfig Config, bool SquareSize, bool PadsToSquare = false)
{
    public static readonly double[] ClipMean = [0.48145466, 0.4578275, 0.40821073];

    public static readonly double[] ClipStd = [0.26862954, 0.26130258, 0.27577711];

    private static readonly double[] Halves = [0.5, 0.5, 0.5];

    private static readonly ImageProcessorConfig Clip = new();

    private static readonly ImageProcessorConfig ClipSquare = Clip with { Resize = new ResizeRule.Exact(224, 224), CenterCrop = null };

    private static readonly ImageProcessorConfig HalfSquare = ClipSquare with { Mean = Halves, Std = Halves };

    // By class name less "ImageProcessor", "ImageProcessorFast" or "FeatureExtractor".
    private static readonly Dictionary<string, ImageProcessorDefaults> ByClass = new()
    {
        ["CLIP"] = new(Clip, SquareSize: false),
        ["Llava"] = new(Clip, SquareSize: false, PadsToSquare: true),
        ["Blip"] = new(ClipSquare with { Resize = new ResizeRule.Exact(384, 384) }, SquareSize: true),
        ["Idefics"] = new(ClipSquare, SquareSize: true),
        ["Siglip"] = new(HalfSquare, SquareSize: true),
        ["ViT"] = new(HalfSquare with { Resampling = Resampling.Bilinear }, SquareSize: true),
    };

    /// <summary>The defaults of a class; without a name, CLIP's.</summary>
    /// <exception cref="NotSupportedException">The class is not known.</exception>
    public static ImageProcessorDefaults Of(string? className)
    {
        string stem = className ?? "CLIP";
        foreach (string suffix in (ReadOnlySpan<string>)["Fast", "ImageProcessor", "FeatureExtractor"])
        {
            stem = stem.EndsWith(suffix, StringComparison.Ordinal) ? stem[..^suffix.Length] : stem;
        }
        return ByClass.TryGetValue(stem, out ImageProcessorDefaults? found) ? found
            : throw new NotSupportedException(
                $"image processor '{className}' is not known; known: {string.Join(", ", ByClass.Keys.Select(known => known + "ImageProcessor"))}");
    }
}
