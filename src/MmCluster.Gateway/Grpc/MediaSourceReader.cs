using MmCluster.Engine.Hosting;
using MmCluster.Gateway.Keys;
using MmCluster.Gateway.Media;
using MmCluster.Gateway.Metrics;
using MmCluster.Gateway.OpenAi;
using MmCluster.Gateway.Uploads;
using MmCluster.Media;
using MmCluster.Models;
using MmCluster.Protos.V1;
using Modality = MmCluster.Models.Cards.Modality;

namespace MmCluster.Gateway.Grpc;

/// <summary>
/// Takes the media of one request from their sources, within a limit a request; what stands behind URLs is fetched at the end. What an item
/// is, its bytes tell.
/// </summary>
internal sealed class MediaSourceReader(UploadStore uploads, MediaFetcher fetcher, MediaBudget budget, Caller caller)
{
    private readonly RemoteMedia _remote = new(fetcher, budget, () => caller.Reject(Rejection.Media));

    /// <summary>The item of <paramref name="source"/>, to be completed by <see cref="CompleteAsync"/>; <paramref name="path"/> names the part in errors.</summary>
    public MediaItem Read(MediaSource source, string path) => source.SourceCase switch
    {
        MediaSource.SourceOneofCase.Data => Read(source.Data.Memory, path),
        MediaSource.SourceOneofCase.Url => new MediaItem(default, new MediaUrlReader(budget, _remote).Read(source.Url, path), path),
        MediaSource.SourceOneofCase.UploadId => Read(Uploaded(source.UploadId, path), path),
        MediaSource.SourceOneofCase.Tensor => ReadTensor(source.Tensor, path),
        _ => throw FieldReader.Invalid(path, $"'{path}' has no source: set data, url, upload_id or tensor"),
    };

    /// <summary>Bytes as an item, to be completed by <see cref="CompleteAsync"/>.</summary>
    public MediaItem Read(ReadOnlyMemory<byte> bytes, string path)
    {
        Take(bytes.Length, path);
        return new MediaItem(default, bytes, path);
    }

    /// <summary>The chat with the bytes and modalities of all items.</summary>
    /// <exception cref="MmException">InvalidArgument, naming the item at fault.</exception>
    public async Task<ModelInput.Chat> CompleteAsync(ModelInput.Chat chat, CancellationToken cancellationToken)
    {
        ModelInput.Chat filled = await _remote.FillAsync(chat, cancellationToken);
        return filled with { Turns = [.. filled.Turns.Select(turn => turn with { Parts = [.. turn.Parts.Select(Typed)] })] };
    }

    /// <summary>What a file's first bytes announce, or null.</summary>
    public static Modality? ModalityOf(ReadOnlySpan<byte> head)
    {
        if (MediaSniffer.Sniff(head) != MediaFormat.Unknown)
        {
            return Modality.Image;
        }
        bool riff = head.Length >= 12 && head.StartsWith("RIFF"u8);
        if ((riff && head[8..].StartsWith("WAVE"u8)) || head.StartsWith("fLaC"u8) || head.StartsWith("OggS"u8) || head.StartsWith("ID3"u8)
            || (head.Length >= 2 && head[0] == 0xFF && (head[1] & 0xE6) == 0xE2)) // a frame of MPEG audio, layer III
        {
            return Modality.Audio;
        }
        return (riff && head[8..].StartsWith("AVI "u8)) || head.StartsWith((ReadOnlySpan<byte>)[0x1A, 0x45, 0xDF, 0xA3])
            || (head.Length >= 8 && head[4..].StartsWith("ftyp"u8))
            ? Modality.Video
            : null;
    }

    private MediaItem ReadTensor(TensorData tensor, string path)
    {
        Take(tensor.Data.Length, path);
        return MediaTensor.Read(tensor, path);
    }

    private void Take(int bytes, string path)
    {
        try
        {
            budget.Take(bytes);
        }
        catch (MediaRefusedException error)
        {
            throw FieldReader.Invalid(path, $"'{path}': {error.Message}");
        }
    }

    private static ChatPart Typed(ChatPart part) => part is not ChatPart.Media { Item: { Shape: null } item } ? part
        : ModalityOf(item.Bytes.Span) is { } modality ? new ChatPart.Media(item with { Modality = modality })
        : throw FieldReader.Invalid(item.Name, $"'{item.Name}': its {item.Bytes.Length} bytes are of no known picture, sound or film format");

    private ReadOnlyMemory<byte> Uploaded(string id, string path) => uploads.Find(id, caller.Tenant)?.Bytes
        ?? throw new MmException(MmErrorCode.NotFound, $"'{path}': there is no such upload; it may have expired") { Param = path };
}
