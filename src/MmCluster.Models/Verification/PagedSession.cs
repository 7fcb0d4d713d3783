using MmCluster.Models.Backbones;
using MmCluster.Tensors;

namespace MmCluster.Models.Verification;

/// <summary>The KV of one comparison, and steps over it.</summary>
internal sealed class PagedSession : IDisposable
{
    private readonly IBackbone _backbone;
    private readonly PagedKv[] _kv;
    private readonly PagedKv[] _cross;
    private readonly Device _device;

    /// <param name="backbone">The network.</param>
    /// <param name="device">Where it is.</param>
    /// <param name="blocks">KV blocks a layer.</param>
    /// <param name="crossBlocks">KV blocks of the memory a cross layer.</param>
    public PagedSession(IBackbone backbone, Device device, int blocks, int crossBlocks = 0)
    {
        _device = device;
        _backbone = backbone;
        BackboneSpec spec = backbone.Spec;
        _kv = [.. Enumerable.Range(0, spec.HeldLayers).Select(_ => new PagedKv(blocks, spec.KvHeads, spec.HeadDim, spec.ActivationType, device))];
        _cross = backbone is ICrossBackbone { Cross: var cross }
            ? [.. Enumerable.Range(0, cross.Layers).Select(_ => new PagedKv(crossBlocks, cross.KvHeads, cross.HeadDim, spec.ActivationType, device))]
            : [];
    }

    public IReadOnlyList<PagedKv> Cross => _cross;

    public static int BlocksFor(int length) => (length + PagedKv.BlockSize - 1) / PagedKv.BlockSize;

    /// <summary>Positions [start, start + count) of one sequence in blocks 0, 1, ...</summary>
    public static PagedBatch OneSequence(int start, int count)
    {
        int[] positions = [.. Enumerable.Range(start, count)];
        int[] blocks = [.. Enumerable.Range(0, BlocksFor(start + count))];
        return new PagedBatch
        {
            QueryStarts = Tensor.Of(0, count),
            SequenceLengths = Tensor.Of(start + count),
            BlockTables = Tensor.From(blocks, [1, blocks.Length]),
            SlotMapping = Tensor.From(positions, [count]),
            Positions = Tensor.From(positions, [count]),
        };
    }

    /// <summary>The first id among the largest logits of one row.</summary>
    public static int Best(Tensor logits)
    {
        float[] row = logits.ToArray<float>();
        int best = 0;
        for (int i = 1; i < row.Length; i++)
        {
            if (row[i] > row[best])
            {
                best = i;
            }
        }
        return best;
    }

    public Tensor Forward(Tensor hidden, PagedBatch batch, int firstLayer, int endLayer, PagedBatch? cross = null) =>
        _backbone.Forward(
            hidden, new BackboneStep { Batch = batch.To(_device), Kv = _kv, CrossBatch = cross?.To(_device), CrossKv = _cross }, firstLayer, endLayer);

    public void Dispose()
    {
        foreach (PagedKv kv in _kv.Concat(_cross))
        {
            kv.Dispose();
        }
    }
}
