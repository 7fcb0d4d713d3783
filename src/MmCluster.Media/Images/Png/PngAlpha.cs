using System.Buffers.Binary;

namespace MmCluster.Media.Images.Png;

/// <summary>Alpha of unfiltered PNG rows: from the samples, or from a tRNS chunk (PNG, third edition, 11.3.1.1).</summary>
internal static class PngAlpha
{
    /// <summary>Writes one row's alpha, 0 to 255; alphas of 16 bits keep their high byte.</summary>
    /// <param name="header">Colour type and depth.</param>
    /// <param name="transparency">The tRNS chunk, or nothing.</param>
    /// <param name="row">The samples.</param>
    /// <param name="alpha">Receives [width].</param>
    /// <exception cref="InvalidDataException">The chunk has a length that does not fit the colour type.</exception>
    public static void Expand(in PngHeader header, ReadOnlySpan<byte> transparency, ReadOnlySpan<byte> row, Span<byte> alpha)
    {
        int sampleBytes = Math.Max(1, header.BitDepth / 8);
        if (header.Color is PngColor.Rgba or PngColor.GreyAlpha)
        {
            int pixelBytes = header.BitsPerPixel / 8;
            for (int x = 0; x < alpha.Length; x++)
            {
                alpha[x] = row[((x + 1) * pixelBytes) - sampleBytes];
            }
            return;
        }
        alpha.Fill(255);
        if (transparency.IsEmpty)
        {
            return;
        }
        if (header.Color == PngColor.Palette)
        {
            for (int x = 0; x < alpha.Length; x++)
            {
                int entry = Sample(row, x, header.BitDepth);
                alpha[x] = entry < transparency.Length ? transparency[entry] : (byte)255;
            }
            return;
        }
        int channels = header.Color == PngColor.Rgb ? 3 : 1;
        if (transparency.Length != 2 * channels)
        {
            throw new InvalidDataException($"PNG: a tRNS chunk of {transparency.Length} bytes where {2 * channels} belong");
        }
        for (int x = 0; x < alpha.Length; x++)
        {
            bool hidden = true;
            for (int channel = 0; channel < channels; channel++)
            {
                hidden &= Sample(row, (x * channels) + channel, header.BitDepth) == BinaryPrimitives.ReadUInt16BigEndian(transparency[(2 * channel)..]);
            }
            alpha[x] = hidden ? (byte)0 : (byte)255;
        }
    }

    // Below 8 bits the leftmost sample is in the high bits.
    private static int Sample(ReadOnlySpan<byte> row, int i, int depth)
    {
        if (depth == 16)
        {
            return BinaryPrimitives.ReadUInt16BigEndian(row[(2 * i)..]);
        }
        int bit = i * depth;
        return (row[bit >> 3] >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
    }
}
