using MmCluster.Models.Backbones;
using MmCluster.Tensors;

namespace MmCluster.Engine.Tests.Kinds;

/// <summary>
/// A network of two layers with random weights: attention, then an expert by the row's type where asked for. With it goes a naive twin that computes a whole sequence at
/// once from a mask.
/// </summary>
internal class TinyBackbone(BackboneKind kind, bool experts, Device device) : IBackbone
{
    public const int Width = 32;
    public const int Layers = 2;
    public const int Heads = 4;
    public const int HeadDim = 8;
    private const int Vocabulary = 64;
    private const int Hidden = 48;

    private readonly LinearWeight _embedding = Random(device, Vocabulary, Width, 1, 1);
    private readonly LinearWeight[] _q = [.. Enumerable.Range(0, Layers).Select(i => Random(device, Width, Width, 10 + i))];
    private readonly LinearWeight[] _k = [.. Enumerable.Range(0, Layers).Select(i => Random(device, Width, Width, 20 + i))];
    private readonly LinearWeight[] _v = [.. Enumerable.Range(0, Layers).Select(i => Random(device, Width, Width, 30 + i))];
    private readonly LinearWeight[] _up = [.. Enumerable.Range(0, 2 * Layers).Select(i => Random(device, Hidden, Width, 40 + i))];
    private readonly LinearWeight[] _down = [.. Enumerable.Range(0, 2 * Layers).Select(i => Random(device, Width, Hidden, 50 + i))];
    private readonly Tensor _media = Tensor.From([1], [1], device);

    public BackboneSpec Spec { get; } = new(Vocabulary, Width, Width, Width, Layers, Heads, HeadDim, 256) { Kind = kind, UsesTokenTypes = experts };

    public Tensor Embed(Tensor ids) => _embedding.Rows(ids);

    public Tensor Forward(Tensor hidden, BackboneStep input, int firstLayer, int endLayer)
    {
        Tensor x = hidden;
        for (int i = firstLayer; i < endLayer; i++)
        {
            x = Memory(x, input, i);
            Tensor normed = x.RmsNorm(null);
            Ops.Append(ToHeads(normed.Linear(_k[i])), ToHeads(normed.Linear(_v[i])), input.Kv[i], input.Batch);
            x = x.Add(Ops.PagedAttention(ToHeads(normed.Linear(_q[i])), input.Kv[i], input.Batch, new()).Reshape(x.Size(0), Width));
            x = x.Add(Experts(x.RmsNorm(null), i, input.TokenTypes));
        }
        return x;
    }

    public Tensor Finish(Tensor hidden) => hidden.RmsNorm(null);

    public Tensor Logits(Tensor finished) => finished.Linear(_embedding);

    public void Dispose()
    {
    }

    /// <summary>Logits of all positions of one sequence. <paramref name="sees"/>(i, j): whether position i sees j.</summary>
    public Tensor Whole(Tensor rows, int[] types, Func<int, int, bool> sees, Tensor? memory, Func<int, int, bool> remembers)
    {
        int length = rows.Size(0);
        Tensor mask = MaskOf(length, length, sees);
        Tensor x = rows;
        for (int i = 0; i < Layers; i++)
        {
            x = memory is null ? x : WholeMemory(x, memory, MaskOf(length, memory.Size(0), remembers), i);
            Tensor normed = x.RmsNorm(null);
            x = x.Add(Attend(normed.Linear(_q[i]), normed.Linear(_k[i]), normed.Linear(_v[i]), mask));
            x = x.Add(Experts(x.RmsNorm(null), i, Spec.UsesTokenTypes ? Tensor.From(types, [length]) : null));
        }
        return Logits(Finish(x));
    }

    protected static LinearWeight Random(Device device, int rows, int columns, int seed, float scale = 0.4f)
    {
        Random random = new(seed);
        using Tensor matrix = Tensor.From([.. Enumerable.Range(0, rows * columns).Select(_ => (random.NextSingle() - 0.5f) * scale)], [rows, columns]);
        return LinearWeight.Pack(matrix, DType.F32, device);
    }

    protected static Tensor ToHeads(Tensor x) => x.Reshape(x.Size(0), Heads, HeadDim);

    protected static Tensor Attend(Tensor q, Tensor k, Tensor v, Tensor mask)
    {
        static Tensor Split(Tensor x) => ToHeads(x).Transpose(0, 1).Unsqueeze(0);
        return Ops.ScaledDotProductAttention(Split(q), Split(k), Split(v), mask).Squeeze(0).Transpose(0, 1).Reshape(q.Size(0), Width);
    }

    protected virtual Tensor Memory(Tensor x, BackboneStep input, int layer) => x;

    protected virtual Tensor WholeMemory(Tensor x, Tensor memory, Tensor mask, int layer) => x;

    private static Tensor MaskOf(int rows, int columns, Func<int, int, bool> sees)
    {
        Tensor mask = Tensor.Zeros([1, 1, rows, columns], DType.Bool);
        Span<byte> values = mask.AsSpan<byte>();
        for (int i = 0; i < rows * columns; i++)
        {
            values[i] = sees(i / columns, i % columns) ? (byte)1 : (byte)0;
        }
        return mask;
    }

    private Tensor Experts(Tensor x, int layer, Tensor? types)
    {
        Tensor text = x.Linear(_up[2 * layer]).Silu().Linear(_down[2 * layer]);
        return types is null
            ? text
            : Ops.Where(types.Equal(_media).Unsqueeze(1), x.Linear(_up[(2 * layer) + 1]).Silu().Linear(_down[(2 * layer) + 1]), text);
    }
}

/// <summary>The same with gated cross-attention to media before each layer, as in Flamingo (arXiv 2204.14198, section 2.2).</summary>
internal sealed class TinyFlamingo(Device device) : TinyBackbone(BackboneKind.CrossAttentionToMedia, experts: false, device), ICrossBackbone
{
    private const float Gate = 0.8f;

    private readonly LinearWeight[] _q = [.. Enumerable.Range(0, Layers).Select(i => Random(device, Width, Width, 60 + i))];
    private readonly LinearWeight[] _k = [.. Enumerable.Range(0, Layers).Select(i => Random(device, Width, Width, 70 + i))];
    private readonly LinearWeight[] _v = [.. Enumerable.Range(0, Layers).Select(i => Random(device, Width, Width, 80 + i))];

    public CrossSpec Cross { get; } = new(Layers, Heads, HeadDim, 48);

    public Tensor Encode(Tensor embeddings) => throw new NotSupportedException("the memory comes from media");

    public void AppendCross(Tensor memory, IReadOnlyList<PagedKv> cross, PagedBatch batch)
    {
        for (int i = 0; i < Layers; i++)
        {
            Ops.Append(ToHeads(memory.Linear(_k[i])), ToHeads(memory.Linear(_v[i])), cross[i], batch);
        }
    }

    protected override Tensor Memory(Tensor x, BackboneStep input, int layer)
    {
        Tensor q = ToHeads(x.RmsNorm(null).Linear(_q[layer]));
        Tensor seen = Ops.PagedAttention(q, input.CrossKv[layer], input.CrossBatch!, new AttentionOptions { Causal = false });
        return x.Add(seen.Reshape(x.Size(0), Width).Mul(Gate));
    }

    protected override Tensor WholeMemory(Tensor x, Tensor memory, Tensor mask, int layer) =>
        x.Add(Attend(x.RmsNorm(null).Linear(_q[layer]), memory.Linear(_k[layer]), memory.Linear(_v[layer]), mask).Mul(Gate));
}
