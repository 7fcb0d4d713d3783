using System.Text.Json;
using MmCluster.Engine.Hosting;
using MmCluster.Models.Cards;

namespace MmCluster.Gateway.OpenAi;

/// <summary>Reads OpenAI's <c>messages</c>: roles, text, and media parts whose bytes stand in data: URLs.</summary>
internal sealed class ChatMessageReader(MediaUrlReader urls)
{
    private const int MaxMessages = 4096;

    /// <summary>The conversation of <paramref name="fields"/>.</summary>
    public ModelInput.Chat Read(FieldReader fields)
    {
        JsonElement field = fields.Field("messages") ?? throw fields.Missing("messages");
        if (field.ValueKind != JsonValueKind.Array || field.GetArrayLength() is 0 or > MaxMessages)
        {
            throw fields.Bad("messages", $"an array of 1 to {MaxMessages} messages", field);
        }
        return new ModelInput.Chat([.. field.EnumerateArray().Select((message, index) => Turn(message, $"messages[{index}]"))])
        {
            Tools = fields.Field("tools"),
            TemplateArguments = fields.Object("chat_template_kwargs")?.Value,
        };
    }

    private ChatTurn Turn(JsonElement value, string path)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            throw FieldReader.Invalid(path, $"'{path}' must be an object");
        }
        var message = new FieldReader(value, path);
        return new ChatTurn(message.String("role") ?? throw message.Missing("role"), Parts(message)) { Raw = value };
    }

    private IReadOnlyList<ChatPart> Parts(FieldReader message)
    {
        if (message.Field("content") is not { } content)
        {
            return [];
        }
        return content.ValueKind switch
        {
            JsonValueKind.String => [new ChatPart.Text(content.GetString()!)],
            JsonValueKind.Array => [.. content.EnumerateArray().Select((part, index) => Part(part, $"{message.Path}.content[{index}]"))],
            _ => throw message.Bad("content", "a string or an array of parts", content),
        };
    }

    private ChatPart Part(JsonElement value, string path)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            throw FieldReader.Invalid(path, $"'{path}' must be an object");
        }
        var part = new FieldReader(value, path);
        string type = part.String("type") ?? throw part.Missing("type");
        return type switch
        {
            "text" => new ChatPart.Text(part.String("text") ?? throw part.Missing("text")),
            "image_url" => FromUrl(Modality.Image, part, type, path),
            "video_url" => FromUrl(Modality.Video, part, type, path),
            "audio_url" => FromUrl(Modality.Audio, part, type, path),
            "input_audio" => Audio(part, path),
            _ => throw FieldReader.Invalid(
                path, $"'{path}.type' must be text, image_url, video_url, audio_url or input_audio, not '{type}'"),
        };
    }

    // OpenAI's form is an object with a url; a plain string is what many clients send.
    private ChatPart.Media FromUrl(Modality modality, FieldReader part, string name, string path)
    {
        string? url = part.Field(name) switch
        {
            { ValueKind: JsonValueKind.String } text => text.GetString(),
            { ValueKind: JsonValueKind.Object } => part.Object(name)!.Value.String("url"),
            _ => null,
        };
        return Media(modality, urls.Read(url ?? throw part.Missing(name), path), path);
    }

    private ChatPart.Media Audio(FieldReader part, string path)
    {
        FieldReader audio = part.Object("input_audio") ?? throw part.Missing("input_audio");
        string data = audio.String("data") ?? throw audio.Missing("data");
        return Media(Modality.Audio, urls.FromBase64(data, path), path);
    }

    private static ChatPart.Media Media(Modality modality, ReadOnlyMemory<byte> bytes, string path) =>
        new ChatPart.Media(new MediaItem(modality, bytes, path));
}
