using MmCluster.Models.Backbones;
using MmCluster.Tensors;
using MmCluster.Tensors.Cuda;

namespace MmCluster.Engine.Cuda;

/// <summary>A step's way through the network and the sampler, over numbers that lie in a step's buffer on the GPU: the same for a graph as for a step launched kernel by kernel.</summary>
internal sealed unsafe class CudaNetwork(IBackbone backbone, CudaSampler sampler, Device device) : IDisposable
{
    /// <summary>Where it runs.</summary>
    public Device Device { get; } = device;

    /// <summary>Whether prompts attend to themselves in both directions.</summary>
    public bool PrefixLm { get; } = backbone.Spec.Kind == BackboneKind.PrefixLm;

    /// <summary>Keys and values, one a layer.</summary>
    public PagedKv[] Kv { get; set; } = [];

    /// <summary>The type of rows between layers.</summary>
    public DType ActivationType
    {
        get
        {
            using var scope = new TensorScope();
            return backbone.Embed(Tensor.Zeros([1], DType.I32, Device)).DType;
        }
    }

    /// <summary>Copies a block of all layers.</summary>
    public void CopyBlock(int source, int target)
    {
        foreach (PagedKv kv in Kv)
        {
            kv.CopyBlock(source, target);
        }
    }

    /// <summary>Queues a step. Call it outside of any tensor scope.</summary>
    /// <param name="stream">The thread's stream.</param>
    /// <param name="layout">Where its numbers are.</param>
    /// <param name="words">The step's buffer.</param>
    /// <param name="outputs">Where tokens go.</param>
    /// <param name="media">Puts features in their places.</param>
    public void Run(CudaStream stream, in StepLayout layout, Tensor words, SampleOutputs outputs, MediaPlacement media = default)
    {
        using var scope = new TensorScope(recycle: true);
        int* numbers = (int*)words.Data;
        Tensor ids = Tensor.Empty([layout.Rows], DType.I32, Device);
        sampler.GatherTokens(stream, numbers + layout.Ids, ids, layout.Rows);
        BackboneStep step = new() { Batch = BatchOf(layout, words), Kv = Kv };
        Tensor hidden = backbone.Embed(ids);
        media.Place(hidden);
        hidden = backbone.Forward(hidden, step, 0, backbone.Spec.LayerCount);
        if (layout.JobCount == 0)
        {
            return;
        }
        if (layout.SampledCount != layout.Rows)
        {
            hidden = hidden.IndexSelect(0, Part(words, layout.Sampled, layout.SampledCount));
        }
        Tensor logits = backbone.Logits(backbone.Finish(hidden));
        sampler.Sample(stream, logits, words, layout.Jobs, layout.JobCount, outputs);
    }

    /// <summary>Frees keys and values.</summary>
    public void Dispose() => Array.ForEach(Kv, kv => kv.Dispose());

    private static PagedBatch BatchOf(in StepLayout layout, Tensor words) => new()
    {
        QueryStarts = Part(words, layout.Starts, layout.Sequences + 1),
        SequenceLengths = Part(words, layout.Lengths, layout.Sequences),
        BlockTables = Part(words, layout.Tables, layout.Sequences * layout.Width).Reshape(layout.Sequences, layout.Width),
        SlotMapping = Part(words, layout.Mapping, layout.Rows),
        Positions = Part(words, layout.Positions, layout.Rows),
        MaxQueries = layout.MaxQueries,
        VisibleEnds = layout.HasEnds ? Part(words, layout.Ends, layout.Rows) : null,
    };

    private static Tensor Part(Tensor words, int start, int count) => words.Slice(0, start, start + count);
}
