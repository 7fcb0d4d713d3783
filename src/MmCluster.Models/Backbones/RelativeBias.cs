using System.Diagnostics;
using MmCluster.Models.Checkpoints;
using MmCluster.Tensors;

namespace MmCluster.Models.Backbones;

/// <summary>
/// T5's relative position bias: a learned number a head and bucket of distance; near distances have buckets of their own, far ones share them
/// logarithmically, and from <c>maxDistance</c> on all share the last one (T5's _relative_position_bucket, rounding in F32 as there).
/// </summary>
internal sealed class RelativeBias
{
    private readonly int _maxDistance;
    private readonly bool _bidirectional;
    private Tensor? _byDistance;

    /// <summary>Declares <c>weight</c> [buckets, heads].</summary>
    public RelativeBias(WeightSource weights, int buckets, int heads, int maxDistance, bool bidirectional)
    {
        _maxDistance = maxDistance;
        _bidirectional = bidirectional;
        weights.Declare(["weight"], [[buckets, heads]], parts: null, stored =>
        {
            float[] values = new float[buckets * heads];
            stored[0].Read(0, values);
            using Tensor table = Expand(values, buckets, heads);
            _byDistance = weights.Own(table.To(weights.Options.Device));
        });
    }

    /// <summary>
    /// The bias by distance. Causal: [heads, maxDistance + 1], entry d for a key d positions before the query, the last for all beyond. Bidirectional:
    /// [2 maxDistance + 1, heads], entry maxDistance + (key - query).
    /// </summary>
    public Tensor ByDistance => _byDistance ?? throw new UnreachableException("a network is used before its weights are loaded");

    /// <summary>The bias of a whole sequence, [1, heads, length, length]; bidirectional only.</summary>
    public Tensor ForLength(int length)
    {
        using var scope = new TensorScope();
        Tensor distances = Tensor.Empty([length, length], DType.I32);
        Span<int> values = distances.AsSpan<int>();
        for (int query = 0; query < length; query++)
        {
            for (int key = 0; key < length; key++)
            {
                values[(query * length) + key] = Math.Clamp(key - query, -_maxDistance, _maxDistance) + _maxDistance;
            }
        }
        return scope.Keep(Ops.Embedding(ByDistance, distances).Permute(2, 0, 1).Unsqueeze(0).Contiguous());
    }

    private Tensor Expand(float[] values, int buckets, int heads)
    {
        int count = _bidirectional ? (2 * _maxDistance) + 1 : _maxDistance + 1;
        Tensor table = Tensor.Empty(_bidirectional ? [count, heads] : [heads, count]);
        Span<float> target = table.AsSpan<float>();
        for (int i = 0; i < count; i++)
        {
            int bucket = Bucket(_bidirectional ? i - _maxDistance : -i, buckets);
            for (int head = 0; head < heads; head++)
            {
                target[_bidirectional ? (i * heads) + head : (head * count) + i] = values[(bucket * heads) + head];
            }
        }
        return table;
    }

    // relative = key - query
    private int Bucket(int relative, int buckets)
    {
        int start = 0;
        if (_bidirectional)
        {
            buckets /= 2;
            start = relative > 0 ? buckets : 0;
        }
        int distance = _bidirectional ? Math.Abs(relative) : Math.Max(-relative, 0);
        int exact = buckets / 2;
        if (distance < exact)
        {
            return start + distance;
        }
        float share = MathF.Log((float)distance / exact) / (float)Math.Log((double)_maxDistance / exact);
        return start + Math.Min(exact + (int)(share * (buckets - exact)), buckets - 1);
    }
}
