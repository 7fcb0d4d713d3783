using System.Collections.Concurrent;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.OpenAi;
using MmCluster.Models;

namespace MmCluster.Gateway.Media;

/// <summary>The parts of one chat that stand behind URLs: noted while the chat is read, fetched side by side when it is. Calls <paramref name="refused"/> for each part refused.</summary>
internal sealed class RemoteMedia(MediaFetcher fetcher, MediaBudget budget, Action refused)
{
    private const int MaxParts = 64;
    private const int AtOnce = 4;

    private readonly Dictionary<string, Uri> _waiting = new(StringComparer.Ordinal);

    public bool Enabled => fetcher.Enabled;

    /// <summary>Notes the part at <paramref name="path"/>.</summary>
    /// <exception cref="MmException">InvalidArgument, naming the part, for an address that is not allowed.</exception>
    public void Note(string url, string path)
    {
        if (_waiting.Count == MaxParts)
        {
            throw FieldReader.Invalid(path, $"'{path}': a request may name at most {MaxParts} URLs");
        }
        try
        {
            _waiting[path] = fetcher.Check(url);
        }
        catch (MediaRefusedException error)
        {
            throw Refused(path, error);
        }
    }

    /// <summary>The chat with the bytes of all noted parts.</summary>
    /// <exception cref="MmException">InvalidArgument, naming the part that is refused.</exception>
    public async Task<ModelInput.Chat> FillAsync(ModelInput.Chat chat, CancellationToken cancellationToken)
    {
        if (_waiting.Count == 0)
        {
            return chat;
        }
        var fetched = new ConcurrentDictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        await Parallel.ForEachAsync(
            _waiting,
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken },
            async (part, stop) => fetched[part.Key] = await FetchAsync(part.Key, part.Value, stop));
        return chat with { Turns = [.. chat.Turns.Select(turn => turn with { Parts = [.. turn.Parts.Select(Fill)] })] };

        ChatPart Fill(ChatPart part) => part is ChatPart.Media media && fetched.TryGetValue(media.Item.Name, out ReadOnlyMemory<byte> bytes)
            ? new ChatPart.Media(media.Item with { Bytes = bytes })
            : part;
    }

    private async Task<ReadOnlyMemory<byte>> FetchAsync(string path, Uri address, CancellationToken cancellationToken)
    {
        try
        {
            return await fetcher.FetchAsync(address, budget, cancellationToken);
        }
        catch (MediaRefusedException error)
        {
            throw Refused(path, error);
        }
    }

    private MmException Refused(string path, MediaRefusedException error)
    {
        refused();
        return FieldReader.Invalid(path, $"'{path}': {error.Message}");
    }
}
