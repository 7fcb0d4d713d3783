using MmCluster.Models.Backbones;
using MmCluster.Tensors;

namespace MmCluster.Models.Tests;

/// <summary>Runs a decoder over one sequence in chunks, as an executor would.</summary>
internal sealed class PagedRun(IBackbone backbone, int maxLength) : IDisposable
{
    private readonly int[] _blocks = [.. Enumerable.Range(0, (maxLength + 15) / 16)];
    private readonly PagedKv[] _kv = [.. Enumerable.Range(0, backbone.Spec.HeldLayers)
        .Select(_ => new PagedKv((maxLength + 15) / 16, backbone.Spec.KvHeads, backbone.Spec.HeadDim))];

    private BackboneSpec Spec => backbone.Spec;

    /// <summary>Positions [start, start + rows of <paramref name="hidden"/>) through the held layers.</summary>
    public Tensor Forward(Tensor hidden, int start)
    {
        int count = hidden.Size(0);
        int[] positions = [.. Enumerable.Range(start, count)];
        BackboneStep step = new()
        {
            Kv = _kv,
            Batch = new PagedBatch
            {
                QueryStarts = Tensor.Of(0, count),
                SequenceLengths = Tensor.Of(start + count),
                BlockTables = Tensor.From(_blocks, [1, _blocks.Length]),
                SlotMapping = Tensor.From(positions, [count]),
                Positions = Tensor.From(positions, [count]),
            },
        };
        return backbone.Forward(hidden, step, Spec.FirstLayer, Spec.EndLayer);
    }

    /// <summary>Logits of every position, the sequence cut into chunks of these lengths.</summary>
    public float[] Logits(int[] ids, params int[] chunks)
    {
        using var scope = new TensorScope();
        List<float> logits = [];
        int start = 0;
        foreach (int length in chunks)
        {
            Tensor hidden = Forward(backbone.Embed(Tensor.From(ids[start..(start + length)], [length])), start);
            logits.AddRange(backbone.Logits(backbone.Finish(hidden)).ToArray<float>());
            start += length;
        }
        Assert.Equal(ids.Length, start);
        return [.. logits];
    }

    public void Dispose()
    {
        foreach (PagedKv kv in _kv)
        {
            kv.Dispose();
        }
    }
}
