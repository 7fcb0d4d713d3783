using MmCluster.Tensors;

namespace MmCluster.Bench.Cuda;

/// <summary>The layers of CLIP ViT-L/14 at 336 pixels (577 positions) with random weights.</summary>
internal sealed class Clip
{
    private const int Width = 1024;
    private const int Heads = 16;
    private const int Positions = 577;
    private const int Intermediate = 4096;
    private const int Layers = 24;
    private const float Eps = 1e-5f;

    private readonly LinearWeight[] _qkv;
    private readonly LinearWeight[] _out;
    private readonly LinearWeight[] _up;
    private readonly LinearWeight[] _down;
    private readonly Tensor _gain;
    private readonly Tensor _bias;
    private readonly Tensor _qkvBias;
    private readonly Tensor _upBias;

    internal Clip(Gpu gpu)
    {
        LinearWeight[] Make(int outputs, int inputs) => [.. Enumerable.Range(0, Layers).Select(_ => gpu.Weight(outputs, inputs))];
        (_qkv, _out, _up, _down) = (Make(3 * Width, Width), Make(Width, Width), Make(Intermediate, Width), Make(Width, Intermediate));
        _gain = gpu.Ones(Width);
        (_bias, _qkvBias, _upBias) = (gpu.Ones(Width), gpu.Ones(3 * Width), gpu.Ones(Intermediate));
    }

    /// <summary>Multiplications and additions of an image.</summary>
    internal static double Operations => Layers * ((2.0 * Positions * 12 * Width * Width) + (4.0 * Positions * Positions * Width));

    internal static Tensor Input(Gpu gpu, int images) => gpu.Random([images, Positions, Width]);

    /// <summary>All layers over x [images, 577, 1024], in place.</summary>
    internal void Forward(Tensor x)
    {
        for (int i = 0; i < Layers; i++)
        {
            using var scope = new TensorScope();
            Tensor qkv = Ops.Linear(Ops.LayerNorm(x, _gain, _bias, Eps), _qkv[i], _qkvBias)
                .Reshape(x.Size(0), Positions, 3, Heads, Width / Heads).Permute(2, 0, 3, 1, 4);
            Tensor mixed = Tensor.Empty([x.Size(0), Positions, Heads, Width / Heads], x.DType, x.Device);
            Ops.ScaledDotProductAttention(qkv.Select(0, 0), qkv.Select(0, 1), qkv.Select(0, 2), output: mixed.Transpose(1, 2));
            Ops.LinearAdd(mixed.Reshape(x.Shape), _out[i], _bias, x);
            Tensor inner = Ops.Linear(Ops.LayerNorm(x, _gain, _bias, Eps), _up[i], _upBias, Activation.QuickGelu);
            Ops.LinearAdd(inner, _down[i], _bias, x);
        }
    }
}
