namespace MmCluster.Tensors.Cpu;

/// <summary>Resamples planes [H, W] first along W, then along H; a part is one plane.</summary>
internal unsafe struct InterpolateBody : IParallelBody
{
    internal float* X;
    internal float* Y;
    internal float* Rows; // [plane][H][outW]
    internal int Height;
    internal int Width;
    internal int OutHeight;
    internal int OutWidth;
    internal int TapsX;
    internal int* IndicesX;
    internal float* WeightsX;
    internal int TapsY;
    internal int* IndicesY;
    internal float* WeightsY;

    public readonly void Invoke(int part)
    {
        float* x = X + ((long)part * Height * Width);
        float* rows = Rows + ((long)part * Height * OutWidth);
        float* y = Y + ((long)part * OutHeight * OutWidth);
        for (int row = 0; row < Height; row++, x += Width)
        {
            for (int column = 0; column < OutWidth; column++)
            {
                float sum = 0;
                for (int tap = column * TapsX; tap < (column + 1) * TapsX; tap++)
                {
                    sum += x[IndicesX[tap]] * WeightsX[tap];
                }

                rows[((long)row * OutWidth) + column] = sum;
            }
        }

        for (int row = 0; row < OutHeight; row++, y += OutWidth)
        {
            new Span<float>(y, OutWidth).Clear();
            for (int tap = row * TapsY; tap < (row + 1) * TapsY; tap++)
            {
                float* from = rows + ((long)IndicesY[tap] * OutWidth);
                for (int column = 0; column < OutWidth; column++)
                {
                    y[column] += from[column] * WeightsY[tap];
                }
            }
        }
    }
}
