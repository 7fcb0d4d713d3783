using MmCluster.Engine.Encoders;
using MmCluster.Models.Catalog;
using MmCluster.Models.Projectors;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Stages;

/// <summary>A model that uses a shared encoder, with its own projectors behind it.</summary>
internal sealed class EncoderUser : IAsyncDisposable
{
    private readonly LoadedModel _model;
    private readonly EncoderBatcher? _projections;

    /// <summary>Takes <paramref name="model"/>, which has one path.</summary>
    public EncoderUser(string name, string revision, LoadedModel model, Device device, EncoderOptions options)
    {
        Name = name;
        Revision = revision;
        Device = device;
        _model = model;
        Path = model.Paths.Single();
        if (Path.ReadsInstruction)
        {
            throw new NotSupportedException($"{model.Card.File}: a projector that reads the instruction cannot be served yet");
        }
        _projections = Path.Projectors.Count == 0 ? null : new EncoderBatcher(Project, options, device);
    }

    public string Name { get; }

    public string Revision { get; }

    /// <summary>Where its networks are.</summary>
    public Device Device { get; }

    public MediaPath Path { get; }

    /// <summary>Projected items that requests hold.</summary>
    public int HeldItems => _projections?.HeldItems ?? 0;

    /// <summary>Whether the model has left. Its networks stay while the stage does: the encoder of the first serves all.</summary>
    public bool IsGone { get; set; }

    /// <summary>Rows for the backbone from an encoder's features, batched over requests.</summary>
    public async Task<Tensor> ProjectAsync(EncoderJob job, Task<Tensor> encoded)
    {
        if (_projections is null)
        {
            return await encoded;
        }
        return await job.Keep(_projections.Get(job.Message.Key, async stop =>
        {
            Tensor features = await encoded.WaitAsync(stop);
            return new EncoderInput(features.AsReadOnlySpan<float>().ToArray(), [features.Size(0), features.Size(1)], features.Size(0));
        })).Features;
    }

    public async ValueTask DisposeAsync()
    {
        if (_projections is not null)
        {
            await _projections.DisposeAsync();
        }
        _model.Dispose();
    }

    // Features come from the encoder's cache and go to other processes: in the host's memory.
    private Tensor Project(Tensor features) => GpuFaults.Told(Device, () =>
    {
        Tensor rows = features.To(Device);
        foreach (IProjector projector in Path.Projectors)
        {
            rows = projector.Project(rows);
        }
        return rows.To(Device.Cpu).To(DType.F32);
    });
}
