using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using MmCluster.Engine.Encoders;
using MmCluster.Media;
using MmCluster.Media.Images;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Models.Encoders;
using MmCluster.Tensors;

namespace MmCluster.Engine.Hosting;

/// <summary>One way of media into the backbone: decode, preprocess, encode in batches, keep by content.</summary>
internal sealed class MediaIntake : IAsyncDisposable
{
    private readonly MediaPath _path;
    private readonly PictureReader _reader = new();
    private readonly ImagePreprocessing _preprocessing;
    private readonly byte[] _identity;
    private readonly MediaShape _shape;

    public MediaIntake(LoadedModel model, MediaPath path, EncoderOptions options, Device device)
    {
        if (path.Card.Modality != Modality.Image)
        {
            throw new NotSupportedException($"{model.Card.File}: component '{path.Card.Name}' takes {path.Card.Modality}; only pictures can be read so far");
        }
        _path = path;
        EncoderSpec spec = path.Encoder.Spec;
        _shape = new MediaShape(path.Positions, path.Width, spec.InputHeight, spec.InputWidth);
        _preprocessing = ImagePreprocessing.Read(model.Folder, path.Card, path.Encoder.Spec);
        Batcher = new EncoderBatcher(path.Features, options, device);
        // Within this process a folder's weights do not change, so its name stands for the encoder's digest.
        _identity = SHA256.HashData(Encoding.UTF8.GetBytes(
            $"{Path.GetFullPath(model.Folder)}\0{path.Card.Name}\0{path.Card.Network}\0{_preprocessing.Config}"));
    }

    public Modality Modality { get; } = Modality.Image;

    /// <summary>Positions an item takes in the prompt.</summary>
    public int Positions => _path.Positions;

    public EncoderBatcher Batcher { get; }

    /// <summary>
    /// Starts an item's encoding, unless its features are there or under way or came with it. The key covers salt, content, encoder and preprocessing; the features are
    /// valid until the claim is disposed.
    /// </summary>
    /// <exception cref="MmCluster.Models.MmException">InvalidArgument: a tensor that does not fit.</exception>
    public (UInt128 Key, Task<Tensor> Features, IDisposable Claim) Open(MediaItem item, string salt)
    {
        _shape.Check(item);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(_identity);
        hash.AppendData(ContentHash.Compute(item.Bytes.Span));
        hash.AppendData(Encoding.UTF8.GetBytes($"{salt}\0{string.Join(',', item.Shape ?? [])}"));
        UInt128 key = BinaryPrimitives.ReadUInt128LittleEndian(hash.GetHashAndReset());
        if (item.IsFeatures)
        {
            var features = Tensor.Empty([.. item.Shape!]);
            item.Values.CopyTo(features.AsSpan<float>());
            return (key, Task.FromResult(features), features);
        }
        EncoderLease lease = Batcher.Get(key, stop => Task.Run(() => PrepareAsync(item, stop), stop));
        return (key, lease.Features, lease);
    }

    public ValueTask DisposeAsync() => Batcher.DisposeAsync();

    private async Task<EncoderInput> PrepareAsync(MediaItem item, CancellationToken stop)
    {
        if (item.Shape is { } shape)
        {
            return new EncoderInput(item.Values.ToArray(), [.. shape], (long)shape[1] * shape[2]);
        }
        using Picture picture = await _reader.DecodeAsync(item.Bytes, item.Name, stop);
        return Preprocess(picture);
    }

    private EncoderInput Preprocess(Picture picture)
    {
        using var scope = new TensorScope();
        Tensor input = _preprocessing.Process(picture);
        return new EncoderInput(input.AsReadOnlySpan<float>().ToArray(), [3, input.Size(2), input.Size(3)], (long)input.Size(2) * input.Size(3));
    }
}
