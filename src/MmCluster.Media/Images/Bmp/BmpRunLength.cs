namespace MmCluster.Media.Images.Bmp;

/// <summary>Unpacks BMP's run-length codes to palette indices. Pixels that the codes leave out are index 0.</summary>
internal static class BmpRunLength
{
    /// <summary>Unpacks a picture.</summary>
    /// <param name="codes">The codes; an end without the end code is refused.</param>
    /// <param name="indices">[height, width], zeroed, the first stored row first.</param>
    /// <param name="width">Pixels a row.</param>
    /// <param name="nibbles">Whether an index has 4 bits, not 8.</param>
    /// <exception cref="InvalidDataException">The codes break off.</exception>
    public static void Unpack(ReadOnlySpan<byte> codes, Span<byte> indices, int width, bool nibbles)
    {
        int height = indices.Length / width;
        int at = 0;
        for (int x = 0, y = 0; y < height;)
        {
            (int count, int value) = (Next(codes, ref at), Next(codes, ref at));
            if (count > 0)
            {
                Span<byte> run = Clip(indices, width, x, y, count);
                for (int i = 0; i < run.Length; i++)
                {
                    run[i] = (byte)(nibbles ? (i % 2 == 0 ? value >> 4 : value & 15) : value);
                }
                x += count;
            }
            else if (value == 0) // end of row
            {
                (x, y) = (0, y + 1);
            }
            else if (value == 1) // end of picture
            {
                return;
            }
            else if (value == 2) // move right and up
            {
                x += Next(codes, ref at);
                y += Next(codes, ref at);
            }
            else
            {
                CopyLiterals(codes, ref at, Clip(indices, width, x, y, value), value, nibbles);
                x += value;
            }
        }
    }

    private static void CopyLiterals(ReadOnlySpan<byte> codes, ref int at, Span<byte> target, int count, bool nibbles)
    {
        int bytes = nibbles ? (count + 1) / 2 : count;
        if (codes.Length - at < bytes)
        {
            throw Truncated();
        }
        ReadOnlySpan<byte> literals = codes.Slice(at, bytes);
        for (int i = 0; i < target.Length; i++)
        {
            target[i] = nibbles ? (byte)((literals[i / 2] >> (i % 2 == 0 ? 4 : 0)) & 15) : literals[i];
        }
        at += bytes + (bytes & 1);
    }

    private static Span<byte> Clip(Span<byte> indices, int width, int x, int y, int count) =>
        x >= width ? [] : indices.Slice((y * width) + x, Math.Min(count, width - x));

    private static int Next(ReadOnlySpan<byte> codes, ref int at) => at < codes.Length ? codes[at++] : throw Truncated();

    private static InvalidDataException Truncated() => new("BMP: the file breaks off inside its run-length codes");
}
