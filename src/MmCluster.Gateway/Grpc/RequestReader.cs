using System.Text.Json;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.Models;
using MmCluster.Gateway.OpenAi;
using MmCluster.Models;
using MmCluster.Protos.V1;
using SamplingParameters = MmCluster.Engine.SamplingParameters;

namespace MmCluster.Gateway.Grpc;

/// <summary>Turns a GenerateRequest into what a served model takes; every refusal names the field.</summary>
internal static class RequestReader
{
    private const int MaxMessages = 4096;
    private const int MaxIdLength = 128;

    /// <summary>The request of <paramref name="message"/> for <paramref name="model"/>.</summary>
    public static async Task<ModelRequest> ReadAsync(
        GenerateRequest message, IServedModel model, MediaSourceReader media, DateTimeOffset? deadline, CancellationToken cancellationToken)
    {
        Revisions.Check(message.Revision, model);
        if (message.Adapter.Length > 0)
        {
            throw new MmException(MmErrorCode.NotFound, $"'adapter': {model.Id} is served without adapters; leave it empty") { Param = "adapter" };
        }
        IReadOnlyCollection<MmCluster.Models.Cards.Modality> outputs = ModalityMessage.ReadOutputs(message.OutputModalities, model);
        SamplingParameters sampling = SamplingMessage.Read(message.Sampling, model.DefaultSampling, DrawSeed);
        ModelInput input = Input(message, media);
        return new ModelRequest
        {
            Id = message.RequestId.Length == 0 ? $"gen-{Guid.NewGuid():N}" : Id(message.RequestId),
            Input = input is ModelInput.Chat chat ? await media.CompleteAsync(chat, cancellationToken) : input,
            Sampling = sampling,
            OutputMedia = outputs,
            ReportProgress = message.ReturnProgress,
            Revision = message.Revision,
            Priority = message.Priority,
            CacheSalt = message.CacheSalt,
            Deadline = deadline,
        };
    }

    /// <summary>A seed for a request that has none.</summary>
    public static ulong DrawSeed() => unchecked((ulong)Random.Shared.NextInt64(long.MinValue, long.MaxValue));

    private static string Id(string id) => id.Length <= MaxIdLength && id.All(c => c is > ' ' and < (char)127)
        ? id
        : throw FieldReader.Invalid("request_id", $"'request_id' must be at most {MaxIdLength} printable ASCII characters without spaces");

    private static ModelInput Input(GenerateRequest message, MediaSourceReader media) => message.InputCase switch
    {
        GenerateRequest.InputOneofCase.Tokens => Tokens(message.Tokens),
        GenerateRequest.InputOneofCase.Text => new ModelInput.Text(message.Text),
        GenerateRequest.InputOneofCase.Chat => Chat(message.Chat, media),
        _ => throw FieldReader.Invalid("input", "the request has no input: set tokens, text or chat"),
    };

    private static ModelInput.Tokens Tokens(TokenPrompt prompt) => prompt.Ids.Count > 0 && prompt.Ids.All(id => id >= 0)
        ? new ModelInput.Tokens(prompt.Ids.ToArray())
        : throw FieldReader.Invalid("tokens.ids", "'tokens.ids' must have at least one id and no negative one");

    private static ModelInput.Chat Chat(Chat chat, MediaSourceReader media)
    {
        if (chat.Messages.Count is 0 or > MaxMessages)
        {
            throw FieldReader.Invalid("chat.messages", $"'chat.messages' must have 1 to {MaxMessages} messages");
        }
        return new ModelInput.Chat([.. chat.Messages.Select((message, index) => Turn(message, $"chat.messages[{index}]", media))])
        {
            Tools = Json(chat.ToolsJson, JsonValueKind.Array, "chat.tools_json"),
            TemplateArguments = Json(chat.TemplateArgumentsJson, JsonValueKind.Object, "chat.template_arguments_json"),
        };
    }

    private static ChatTurn Turn(ChatMessage message, string path, MediaSourceReader media) => message.Role.Length > 0
        ? new ChatTurn(message.Role, [.. message.Parts.Select((part, index) => Part(part, $"{path}.parts[{index}]", media))])
        : throw FieldReader.Invalid(path + ".role", $"'{path}.role' is missing");

    private static ChatPart Part(ContentPart part, string path, MediaSourceReader media) => part.PartCase switch
    {
        ContentPart.PartOneofCase.Text => new ChatPart.Text(part.Text),
        ContentPart.PartOneofCase.Media => new ChatPart.Media(media.Read(part.Media, path + ".media")),
        _ => throw FieldReader.Invalid(path, $"'{path}' is empty: set text or media"),
    };

    private static JsonElement? Json(string text, JsonValueKind kind, string path)
    {
        if (text.Length == 0)
        {
            return null;
        }
        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            return document.RootElement.ValueKind == kind
                ? document.RootElement.Clone()
                : throw FieldReader.Invalid(path, $"'{path}' must be a JSON {kind.ToString().ToLowerInvariant()}");
        }
        catch (JsonException error)
        {
            throw FieldReader.Invalid(path, $"'{path}' is not JSON: {error.Message}");
        }
    }
}
