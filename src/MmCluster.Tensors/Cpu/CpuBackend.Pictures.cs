namespace MmCluster.Tensors.Cpu;

// Resampling of pictures.
internal sealed unsafe partial class CpuBackend
{
    public void Interpolate(Tensor x, Tensor y, InterpolationMode mode, bool alignCorners, bool antialias)
    {
        Resampling horizontal = Resampling.Of(x.Shape[3], y.Shape[3], mode, alignCorners, antialias);
        Resampling vertical = Resampling.Of(x.Shape[2], y.Shape[2], mode, alignCorners, antialias);
        int planes = x.Shape[0] * x.Shape[1];
        Storage rows = Storage.Allocate((long)planes * x.Shape[2] * y.Shape[3] * sizeof(float));
        fixed (int* indicesX = horizontal.Indices, indicesY = vertical.Indices)
        fixed (float* weightsX = horizontal.Weights, weightsY = vertical.Weights)
        {
            var body = new InterpolateBody
            {
                X = x.Pointer<float>(),
                Y = y.Pointer<float>(),
                Rows = (float*)rows.Address,
                Height = x.Shape[2],
                Width = x.Shape[3],
                OutHeight = y.Shape[2],
                OutWidth = y.Shape[3],
                TapsX = horizontal.Taps,
                IndicesX = indicesX,
                WeightsX = weightsX,
                TapsY = vertical.Taps,
                IndicesY = indicesY,
                WeightsY = weightsY,
            };
            _pool.Run(planes, ref body);
        }

        rows.Release();
    }
}
