using System.Diagnostics;
using MmCluster.Models.Checkpoints;
using MmCluster.Tensors;

namespace MmCluster.Models.Layers;

/// <summary>x W^T + b with packed weights; several matrices over the same input may be joined into one product. What is derived has a part of it a rank.</summary>
internal class Linear
{
    private readonly Parameter? _bias;
    private LinearWeight? _weight;

    /// <summary>Declares <c>weight</c> [outputs, inputs] and, with <paramref name="bias"/>, <c>bias</c> [outputs] at <paramref name="weights"/>.</summary>
    public Linear(WeightSource weights, int inputs, int outputs, bool bias)
        : this(weights, ["weight"], inputs, [outputs], bias ? ["bias"] : null)
    {
    }

    /// <summary>Declares matrices [outputs[i], inputs] that are joined, and their biases.</summary>
    /// <param name="weights">Where they are.</param>
    /// <param name="names">Names of the matrices.</param>
    /// <param name="inputs">Columns of each.</param>
    /// <param name="outputs">Rows of each.</param>
    /// <param name="biases">Names of the biases, or null.</param>
    /// <param name="parts">What of each matrix is loaded; null loads them whole. Biases go with rows.</param>
    protected Linear(WeightSource weights, string[] names, int inputs, int[] outputs, string[]? biases, TensorPart[]? parts = null)
    {
        weights.Declare(names, [.. outputs.Select(rows => new long[] { rows, inputs })], parts,
            stored => _weight = weights.Own(WeightPacking.Pack(stored, weights.Options)));
        TensorPart[]? rows = parts is [{ Axis: 0 }, ..] ? parts : null;
        _bias = biases is null ? null : new Parameter(weights, biases, outputs, rows);
    }

    private Linear(WeightSource weights, int[] shape, bool bias)
    {
        weights.Declare(["weight"], [[.. shape.Select(size => (long)size)]], parts: null, stored => _weight = weights.Own(WeightPacking.Pack(stored, weights.Options)));
        _bias = bias ? new Parameter(weights, "bias", shape[0]) : null;
    }

    /// <summary>The packed matrix, for embeddings that share it.</summary>
    public LinearWeight Weight => _weight ?? throw new UnreachableException("a network is used before its weights are loaded");

    /// <summary>Declares the matrices <paramref name="names"/> below <paramref name="weights"/> as one product whose outputs lie side by side.</summary>
    public static Linear Joined(WeightSource weights, string[] names, int inputs, int[] outputs, bool bias) =>
        new(weights, [.. names.Select(name => $"{name}.weight")], inputs, outputs, bias ? [.. names.Select(name => $"{name}.bias")] : null);

    /// <summary>A kernel [outputs, ...] as a matrix over its unrolled inputs.</summary>
    public static Linear Unrolled(WeightSource weights, int[] shape, bool bias) => new(weights, shape, bias);

    /// <summary>A matrix at <paramref name="name"/> without bias, such as an embedding table.</summary>
    public static Linear Table(WeightSource weights, string name, int columns, int rows) => new(weights, [name], columns, [rows], null);

    /// <summary>[..., inputs] to [..., outputs].</summary>
    public virtual Tensor Forward(Tensor x, Activation activation = Activation.None) => Ops.Linear(x, Weight, _bias?.Value, activation);

    /// <summary>The same of the normed x.</summary>
    public Tensor Forward(Tensor x, RmsNorm norm) => Ops.RmsNormLinear(x, norm.Weight, norm.Epsilon, Weight, _bias?.Value);

    /// <summary>The outputs of the normed x are gate and up, side by side: act(gate) up, [..., outputs / 2].</summary>
    public Tensor ForwardGated(Tensor x, RmsNorm norm, Activation activation) =>
        Ops.RmsNormGatedLinear(x, norm.Weight, norm.Epsilon, Weight, activation, _bias?.Value);

    /// <summary>Adds the outputs to <paramref name="residual"/> in place.</summary>
    public virtual void AddTo(Tensor residual, Tensor x) => Ops.LinearAdd(x, Weight, _bias?.Value, residual);

    /// <summary>The outputs in F32 whatever x is: logits.</summary>
    public virtual Tensor ForwardF32(Tensor x) =>
        Ops.Linear(x, Weight, _bias?.Value, output: Tensor.Empty(x.Shape.With(-1, Weight.Outputs), DType.F32, x.Device));
}
