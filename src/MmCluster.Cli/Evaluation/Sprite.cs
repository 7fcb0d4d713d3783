using MmCluster.Media.Images.Png;

namespace MmCluster.Cli.Evaluation;

/// <summary>A picture of one kind, square, with alpha.</summary>
internal sealed class Sprite(RgbaPicture picture)
{
    /// <summary>Pixels along a side.</summary>
    public int Side => picture.Width;

    /// <summary>Writes the texels as doubles: colour in 0..255 times alpha, then alpha in 0..1. [side, side, 4].</summary>
    public void Premultiply(Span<double> texels)
    {
        ReadOnlySpan<byte> pixels = picture.Pixels;
        for (int i = 0; i < pixels.Length; i += 4)
        {
            double alpha = pixels[i + 3] / 255.0;
            texels[i] = pixels[i] * alpha;
            texels[i + 1] = pixels[i + 1] * alpha;
            texels[i + 2] = pixels[i + 2] * alpha;
            texels[i + 3] = alpha;
        }
    }
}
