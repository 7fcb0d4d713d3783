using System.Buffers;
using System.Buffers.Binary;

namespace MmCluster.Media.Images.Bmp;

/// <summary>Decodes Windows and OS/2 bitmaps of 1 to 32 bits, run-length codes and colour masks included. Alpha is dropped.</summary>
internal static class BmpDecoder
{
    /// <summary>Decodes a file.</summary>
    /// <param name="file">The whole file.</param>
    /// <param name="limits">Checked against the header before pixel memory is taken.</param>
    /// <param name="stop">Looked at between rows.</param>
    /// <exception cref="InvalidDataException">The file is damaged or passes a limit.</exception>
    public static DecodedPicture Decode(ReadOnlySpan<byte> file, MediaLimits limits, CancellationToken stop)
    {
        BmpHeader header = BmpHeader.Parse(file, limits);
        bool runLength = header.Packing is BmpPacking.RunLength8 or BmpPacking.RunLength4;
        ReadOnlySpan<byte> stored = file[header.PixelOffset..];
        long needed = ((header.Height - 1) * header.RowBytes) + ((((long)header.Width * header.BitsPerPixel) + 7) / 8);
        if (!runLength && stored.Length < needed)
        {
            throw new InvalidDataException($"BMP: the file breaks off: {needed} bytes of pixels are announced, {stored.Length} are there");
        }
        Picture picture = Picture.Allocate(header.Width, header.Height);
        try
        {
            if (runLength)
            {
                DecodeRunLength(header, file, picture);
            }
            else
            {
                DecodeRows(header, file, picture, stop);
            }
        }
        catch
        {
            picture.Dispose();
            throw;
        }
        return new DecodedPicture(picture, 1);
    }

    private static void DecodeRows(BmpHeader header, ReadOnlySpan<byte> file, Picture picture, CancellationToken stop)
    {
        Span<byte> palette = stackalloc byte[256 * 3];
        ReadPalette(header, file, palette);
        int rowBytes = (int)((((long)header.Width * header.BitsPerPixel) + 7) / 8);
        for (int y = 0; y < header.Height; y++)
        {
            stop.ThrowIfCancellationRequested();
            ReadOnlySpan<byte> row = file.Slice(checked((int)(header.PixelOffset + (y * header.RowBytes))), rowBytes);
            Span<byte> rgb = picture.Row(header.TopDown ? y : header.Height - 1 - y);
            switch (header.BitsPerPixel)
            {
                case 24:
                    for (int i = 0; i < rgb.Length; i += 3)
                    {
                        (rgb[i], rgb[i + 1], rgb[i + 2]) = (row[i + 2], row[i + 1], row[i]);
                    }
                    break;
                case 16 or 32:
                    UnpackMasks(header, row, rgb);
                    break;
                default:
                    UnpackIndices(row, header.BitsPerPixel, palette, rgb);
                    break;
            }
        }
    }

    private static void DecodeRunLength(BmpHeader header, ReadOnlySpan<byte> file, Picture picture)
    {
        Span<byte> palette = stackalloc byte[256 * 3];
        ReadPalette(header, file, palette);
        int count = header.Width * header.Height;
        byte[] rented = ArrayPool<byte>.Shared.Rent(count);
        try
        {
            Span<byte> indices = rented.AsSpan(0, count);
            indices.Clear();
            BmpRunLength.Unpack(file[header.PixelOffset..], indices, header.Width, header.Packing == BmpPacking.RunLength4);
            for (int y = 0; y < header.Height; y++)
            {
                Span<byte> rgb = picture.Row(header.TopDown ? y : header.Height - 1 - y);
                UnpackIndices(indices.Slice(y * header.Width, header.Width), 8, palette, rgb);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private static void UnpackIndices(ReadOnlySpan<byte> row, int bits, ReadOnlySpan<byte> palette, Span<byte> rgb)
    {
        int mask = (1 << bits) - 1;
        for (int x = 0; x < rgb.Length / 3; x++)
        {
            int bit = x * bits;
            int index = (row[bit >> 3] >> (8 - bits - (bit & 7))) & mask;
            palette.Slice(index * 3, 3).CopyTo(rgb[(x * 3)..]);
        }
    }

    private static void UnpackMasks(BmpHeader header, ReadOnlySpan<byte> row, Span<byte> rgb)
    {
        int pixelBytes = header.BitsPerPixel / 8;
        for (int x = 0; x < header.Width; x++)
        {
            uint pixel = pixelBytes == 2
                ? BinaryPrimitives.ReadUInt16LittleEndian(row[(x * 2)..])
                : BinaryPrimitives.ReadUInt32LittleEndian(row[(x * 4)..]);
            (rgb[x * 3], rgb[(x * 3) + 1], rgb[(x * 3) + 2]) =
                (header.Red.Extract(pixel), header.Green.Extract(pixel), header.Blue.Extract(pixel));
        }
    }

    // Indices past the stored entries are Pillow's grey ramp, as for PNG.
    private static void ReadPalette(BmpHeader header, ReadOnlySpan<byte> file, Span<byte> palette)
    {
        for (int i = 0; i < palette.Length; i++)
        {
            palette[i] = (byte)(i / 3);
        }
        for (int i = 0; i < header.PaletteCount; i++)
        {
            ReadOnlySpan<byte> entry = file[(header.PaletteOffset + (i * header.PaletteEntryBytes))..];
            (palette[i * 3], palette[(i * 3) + 1], palette[(i * 3) + 2]) = (entry[2], entry[1], entry[0]);
        }
    }
}
