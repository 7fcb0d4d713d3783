namespace MmCluster.Tensors.Tests.Cuda;

/// <summary>Rotary positions in float64.</summary>
internal static class RopeReference
{
    /// <summary>[tokens, heads, dim], each token turned by its position's row of the table; as it is without one.</summary>
    internal static double[] Turn(float[] x, int heads, int dim, RopeTable? table, int[] positions)
    {
        double[] y = [.. x.Select(v => (double)v)];
        if (table is null)
        {
            return y;
        }

        (float[] cos, float[] sin) = (HalfTensors.Values(table.Cos), HalfTensors.Values(table.Sin));
        int half = table.RotaryDim / 2;
        for (int row = 0; row < positions.Length * heads; row++)
        {
            for (int i = 0; i < half; i++)
            {
                int first = (row * dim) + (table.Interleaved ? 2 * i : i);
                int second = first + (table.Interleaved ? 1 : half);
                double c = cos[(positions[row / heads] * half) + i];
                double s = sin[(positions[row / heads] * half) + i];
                (y[first], y[second]) = ((x[first] * c) - (x[second] * s), (x[second] * c) + (x[first] * s));
            }
        }

        return y;
    }
}
