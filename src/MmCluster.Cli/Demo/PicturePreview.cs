using System.Globalization;
using System.Text;
using MmCluster.Engine.Hosting;
using MmCluster.Media.Images;

namespace MmCluster.Cli.Demo;

/// <summary>A picture in coloured half blocks: two pixels a character, for terminals of 24-bit colour.</summary>
internal static class PicturePreview
{
    private const int MaxColumns = 48;
    private const int MaxRows = 40;

    /// <summary>Lines of text with colour codes.</summary>
    public static async Task<string> RenderAsync(MediaItem media, CancellationToken cancellationToken)
    {
        using Picture picture = await new PictureReader().DecodeAsync(media.Bytes, media.Name, cancellationToken);
        double scale = Math.Min((double)MaxColumns / picture.Width, (double)MaxRows / picture.Height);
        using Picture small = PictureTransforms.Resize(
            picture, Math.Max(1, (int)(picture.Width * scale)), Math.Max(2, (int)(picture.Height * scale) / 2 * 2), Resampling.Bilinear);
        var text = new StringBuilder();
        for (int y = 0; y + 1 < small.Height; y += 2)
        {
            text.Append("  ");
            for (int x = 0; x < small.Width; x++)
            {
                ReadOnlySpan<byte> top = small.Row(y).Slice(x * 3, 3);
                ReadOnlySpan<byte> bottom = small.Row(y + 1).Slice(x * 3, 3);
                text.Append(
                    CultureInfo.InvariantCulture,
                    $"\e[38;2;{top[0]};{top[1]};{top[2]}m\e[48;2;{bottom[0]};{bottom[1]};{bottom[2]}m▀");
            }
            text.Append("\e[0m\n");
        }
        return text.ToString();
    }
}
