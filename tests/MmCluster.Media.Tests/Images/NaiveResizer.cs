using MmCluster.Media.Images;
using MmCluster.Media.Images.Resize;

namespace MmCluster.Media.Tests.Images;

/// <summary>Pillow's two-pass resizing, one sample at a time.</summary>
internal static class NaiveResizer
{
    public static byte[] Resize(ReadOnlySpan<byte> pixels, int width, int height, int newWidth, int newHeight, Resampling filter)
    {
        byte[] across = Pass(pixels, height, width, newWidth, 3, width * 3, newWidth * 3, filter);
        return Pass(across, newWidth, height, newHeight, newWidth * 3, 3, 3, filter);
    }

    // `lines` lines of `size` pixels; `step` bytes from pixel to pixel; lines are `fromLine` bytes apart, in the result `toLine`.
    private static byte[] Pass(
        ReadOnlySpan<byte> pixels, int lines, int size, int newSize, int step, int fromLine, int toLine, Resampling filter)
    {
        if (size == newSize)
        {
            return pixels.ToArray();
        }
        byte[] result = new byte[lines * newSize * 3];
        double scale = (double)size / newSize;
        double stretch = Math.Max(1, scale);
        double support = ResampleFilter.Support(filter) * stretch;
        for (int i = 0; i < newSize; i++)
        {
            double center = (i + 0.5) * scale;
            int first = Math.Max(0, (int)(center - support + 0.5));
            int end = Math.Min(size, (int)(center + support + 0.5));
            double[] weights = [.. Enumerable.Range(first, end - first).Select(x => ResampleFilter.Weight(filter, (x - center + 0.5) * (1 / stretch)))];
            double total = 0;
            Array.ForEach(weights, weight => total += weight);
            int[] taps = [.. weights.Select(weight => weight / total * (1 << 22)).Select(weight => (int)(weight < 0 ? weight - 0.5 : weight + 0.5))];
            for (int line = 0; line < lines; line++)
            {
                for (int c = 0; c < 3; c++)
                {
                    long sum = 1 << 21;
                    for (int tap = 0; tap < taps.Length; tap++)
                    {
                        sum += (long)taps[tap] * pixels[(line * fromLine) + ((first + tap) * step) + c];
                    }
                    result[(line * toLine) + (i * step) + c] = (byte)Math.Clamp(sum >> 22, 0, 255);
                }
            }
        }
        return result;
    }
}
