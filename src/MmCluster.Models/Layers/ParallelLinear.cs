using MmCluster.Models.Checkpoints;
using MmCluster.Tensors;

namespace MmCluster.Models.Layers;

/// <summary>
/// A product whose outputs are split over the ranks of a group (Megatron-LM, arXiv 1909.08053): each rank has some rows of every joined matrix, sees the whole
/// input and gives its outputs, for a <see cref="RowParallelLinear"/> to take. In a group of one it is a <see cref="Linear"/>.
/// </summary>
internal sealed class ColumnParallelLinear : Linear
{
    /// <summary>Declares <c>weight</c> [outputs, inputs] and, with <paramref name="bias"/>, <c>bias</c>.</summary>
    /// <exception cref="ArgumentException">The outputs do not split.</exception>
    public ColumnParallelLinear(WeightSource weights, int inputs, int outputs, bool bias)
        : base(weights, ["weight"], inputs, [outputs], bias ? ["bias"] : null, Parts(weights, [outputs]))
    {
    }

    private ColumnParallelLinear(WeightSource weights, string[] names, int inputs, int[] outputs, bool bias)
        : base(weights, [.. names.Select(name => $"{name}.weight")], inputs, outputs, bias ? [.. names.Select(name => $"{name}.bias")] : null, Parts(weights, outputs))
    {
    }

    /// <summary>Matrices <paramref name="names"/> over the same input; a rank's outputs of each lie side by side.</summary>
    /// <exception cref="ArgumentException">The outputs of one do not split.</exception>
    public static new ColumnParallelLinear Joined(WeightSource weights, string[] names, int inputs, int[] outputs, bool bias) => new(weights, names, inputs, outputs, bias);

    private static TensorPart[]? Parts(WeightSource weights, int[] outputs) => weights.SplitOver() is { } group
        ? [.. outputs.Select(rows =>
        {
            int own = RankShare.Of(group, rows, "outputs", weights);
            return TensorPart.Rows((long)group.Rank * own, own);
        })]
        : null;
}

/// <summary>
/// A product whose inputs are split over the ranks of a group: each rank has some columns of the matrix and the inputs for them, and the ranks' outputs are
/// added up. The bias is the first rank's. In a group of one it is a <see cref="Linear"/>.
/// </summary>
internal sealed class RowParallelLinear : Linear
{
    private readonly ProcessGroup? _group;

    /// <summary>Declares <c>weight</c> [outputs, inputs] and, with <paramref name="bias"/>, <c>bias</c>.</summary>
    /// <exception cref="ArgumentException">The inputs do not split, or would cut a quantized block.</exception>
    public RowParallelLinear(WeightSource weights, int inputs, int outputs, bool bias)
        : base(weights, ["weight"], inputs, [outputs], bias && weights.Options.Group is null or { Rank: 0 } ? ["bias"] : null, Parts(weights, inputs))
    {
        _group = weights.SplitOver();
        if (bias && _group is { Rank: > 0 })
        {
            weights.LeaveOut("bias");
        }
    }

    /// <summary>[..., inputs of this rank] to [..., outputs] of all.</summary>
    public override Tensor Forward(Tensor x, Activation activation = Activation.None)
    {
        if (_group is null)
        {
            return base.Forward(x, activation);
        }
        Tensor sum = base.Forward(x);
        _group.AllReduce(sum);
        return activation == Activation.None ? sum : sum.Activate(activation);
    }

    /// <summary>Adds the outputs of all ranks to <paramref name="residual"/> (dense), which is the same on all of them before and after.</summary>
    public override void AddTo(Tensor residual, Tensor x)
    {
        // The first rank's term of the sum has the residual in it.
        if (_group is null or { Rank: 0 })
        {
            base.AddTo(residual, x);
        }
        else
        {
            Ops.Linear(x, Weight, output: residual);
        }
        _group?.AllReduce(residual);
    }

    private static TensorPart[]? Parts(WeightSource weights, int inputs)
    {
        if (weights.SplitOver() is not { } group)
        {
            return null;
        }
        int own = RankShare.Of(group, inputs, "inputs", weights);
        DType type = weights.Options.Matrices;
        return !type.IsQuantized() || own % DTypes.BlockLength == 0
            ? [TensorPart.Columns((long)group.Rank * own, own)]
            : throw new ArgumentException(
                $"tensor parallel: {inputs} inputs of {weights.Path} over {group.Size} ranks are {own} each, which cuts {type}'s blocks of {DTypes.BlockLength}: take fewer ranks or another type");
    }
}

/// <summary>
/// Queries, keys and values as one product, split by heads. Where there are fewer key heads than ranks, neighbouring ranks have the same one.
/// </summary>
internal sealed class QkvParallelLinear : Linear
{
    private QkvParallelLinear(WeightSource weights, string[] names, int inputs, HeadShare share, bool bias)
        : base(
            weights, [.. names.Select(name => $"{name}.weight")], inputs, share.Outputs, bias ? [.. names.Select(name => $"{name}.bias")] : null,
            weights.SplitOver() is null ? null : share.Parts) => (Heads, KvHeads) = (share.Heads, share.KvHeads);

    /// <summary>Query heads of this rank.</summary>
    public int Heads { get; }

    /// <summary>Key and value heads of this rank.</summary>
    public int KvHeads { get; }

    /// <summary>The matrices <paramref name="names"/> of queries, keys and values.</summary>
    /// <exception cref="ArgumentException">The heads do not split.</exception>
    public static QkvParallelLinear Joined(WeightSource weights, string[] names, int inputs, int heads, int kvHeads, int headDim, bool bias) =>
        new(weights, names, inputs, HeadShare.Of(weights, heads, kvHeads, headDim), bias);

    /// <summary>A rank's query heads and the key heads that they look at.</summary>
    private readonly record struct HeadShare(int Heads, int KvHeads, int[] Outputs, TensorPart[] Parts)
    {
        public static HeadShare Of(WeightSource weights, int heads, int kvHeads, int headDim)
        {
            ProcessGroup? group = weights.Options.Group;
            (int rank, int size) = (group?.Rank ?? 0, group?.Size ?? 1);
            int own = group is null ? heads : RankShare.Of(group, heads, "attention heads", weights);
            if (kvHeads % size != 0 && size % kvHeads != 0)
            {
                throw new ArgumentException(
                    $"tensor parallel: the {kvHeads} key and value heads of {weights.Path} can neither be split over {size} ranks nor be repeated evenly on them");
            }
            int first = (int)((long)kvHeads * rank / size);
            int ownKv = Math.Max(1, kvHeads / size);
            TensorPart keys = TensorPart.Rows((long)first * headDim, (long)ownKv * headDim);
            return new HeadShare(
                own, ownKv, [heads * headDim, kvHeads * headDim, kvHeads * headDim],
                [TensorPart.Rows((long)rank * own * headDim, (long)own * headDim), keys, keys]);
        }
    }
}

/// <summary>
/// The head, split by the vocabulary: each rank has logits of some tokens, and all ranks gather them, so that all draw from the same bits. The last
/// rank may have fewer tokens.
/// </summary>
internal sealed class ParallelHead : Linear
{
    private readonly ProcessGroup? _group;
    private readonly int _vocabulary;
    private readonly int _width;

    /// <summary>Declares <c>weight</c> [vocabulary, inputs].</summary>
    /// <exception cref="ArgumentException">A rank would have no token.</exception>
    public ParallelHead(WeightSource weights, int inputs, int vocabulary)
        : base(weights, ["weight"], inputs, [vocabulary], biases: null, Parts(weights.Options.Group, vocabulary))
    {
        (_group, _vocabulary) = (weights.Options.Group, vocabulary);
        _width = Width(_group, vocabulary);
    }

    /// <summary>[R, inputs] to the logits [R, vocabulary] of all ranks.</summary>
    public override Tensor ForwardF32(Tensor x)
    {
        if (_group is null)
        {
            return base.ForwardF32(x);
        }
        using var scope = new TensorScope();
        int rows = x.Size(0);
        Tensor own = Tensor.Empty([rows, _width], DType.F32, x.Device);
        Ops.Linear(x, Weight, output: own.Slice(1, 0, Weight.Outputs));
        Tensor all = Tensor.Empty([_group.Size, rows, _width], DType.F32, x.Device);
        _group.AllGather(own, all);
        return scope.Keep(all.Permute(1, 0, 2).Reshape(rows, _group.Size * _width).Slice(1, 0, _vocabulary).Contiguous());
    }

    private static int Width(ProcessGroup? group, int vocabulary) => group is null ? vocabulary : (vocabulary + group.Size - 1) / group.Size;

    private static TensorPart[]? Parts(ProcessGroup? group, int vocabulary)
    {
        if (group is null)
        {
            return null;
        }
        int width = Width(group, vocabulary);
        return (group.Size - 1) * width < vocabulary
            ? [TensorPart.Rows(group.Rank * width, Math.Min(width, vocabulary - (group.Rank * width)))]
            : throw new ArgumentException($"tensor parallel: a vocabulary of {vocabulary} tokens leaves ranks of {group.Size} without any");
    }
}

/// <summary>What one rank has of something that all ranks have equally much of.</summary>
internal static class RankShare
{
    /// <exception cref="ArgumentException">It does not divide; the message has both numbers.</exception>
    public static int Of(ProcessGroup group, int count, string what, WeightSource weights) => count % group.Size == 0
        ? count / group.Size
        : throw new ArgumentException($"tensor parallel: the {count} {what} of {weights.Path} cannot be split over {group.Size} ranks evenly");
}
