using System.Numerics;

namespace MmCluster.Media.Images.Png;

/// <summary>Undoes PNG's row filters (PNG specification, section 9).</summary>
internal static class PngFilter
{
    /// <summary>Turns a filtered row into samples, in place.</summary>
    /// <param name="filter">The row's filter byte, 0 to 4.</param>
    /// <param name="row">The row's bytes.</param>
    /// <param name="above">The unfiltered row above, or zeros.</param>
    /// <param name="distance">Bytes back to the pixel on the left.</param>
    /// <exception cref="InvalidDataException">The filter does not exist.</exception>
    public static void Undo(byte filter, Span<byte> row, ReadOnlySpan<byte> above, int distance)
    {
        switch (filter)
        {
            case 0:
                break;
            case 1:
                UndoSub(row, distance);
                break;
            case 2:
                UndoUp(row, above);
                break;
            case 3:
                UndoAverage(row, above, distance);
                break;
            case 4:
                UndoPaeth(row, above, distance);
                break;
            default:
                throw new InvalidDataException($"PNG: row filter {filter} does not exist");
        }
    }

    private static void UndoSub(Span<byte> row, int distance)
    {
        for (int i = distance; i < row.Length; i++)
        {
            row[i] += row[i - distance];
        }
    }

    private static void UndoUp(Span<byte> row, ReadOnlySpan<byte> above)
    {
        int i = 0;
        for (; i <= row.Length - Vector<byte>.Count; i += Vector<byte>.Count)
        {
            (new Vector<byte>(row[i..]) + new Vector<byte>(above[i..])).CopyTo(row[i..]);
        }
        for (; i < row.Length; i++)
        {
            row[i] += above[i];
        }
    }

    private static void UndoAverage(Span<byte> row, ReadOnlySpan<byte> above, int distance)
    {
        for (int i = 0; i < row.Length; i++)
        {
            int left = i >= distance ? row[i - distance] : 0;
            row[i] += (byte)((left + above[i]) >> 1);
        }
    }

    private static void UndoPaeth(Span<byte> row, ReadOnlySpan<byte> above, int distance)
    {
        above = above[..row.Length];
        for (int i = 0; i < Math.Min(distance, row.Length); i++)
        {
            row[i] += above[i];
        }
        for (int i = distance; i < row.Length; i++)
        {
            row[i] += Paeth(row[i - distance], above[i], above[i - distance]);
        }
    }

    /// <summary>Filters a row by Paeth's predictor.</summary>
    /// <param name="row">The samples.</param>
    /// <param name="above">The samples above, or zeros.</param>
    /// <param name="distance">Bytes back to the pixel on the left.</param>
    /// <param name="filtered">Receives as many bytes as the row has.</param>
    public static void ApplyPaeth(ReadOnlySpan<byte> row, ReadOnlySpan<byte> above, int distance, Span<byte> filtered)
    {
        for (int i = 0; i < row.Length; i++)
        {
            filtered[i] = (byte)(row[i] - (i < distance ? above[i] : Paeth(row[i - distance], above[i], above[i - distance])));
        }
    }

    private static byte Paeth(int left, int up, int corner)
    {
        int toLeft = Math.Abs(up - corner);
        int toUp = Math.Abs(left - corner);
        int toCorner = Math.Abs(left + up - (2 * corner));
        return (byte)(toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner);
    }
}
