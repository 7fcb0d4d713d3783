using System.Text.Json;
using MmCluster.Gateway.Models;

namespace MmCluster.Gateway.OpenAi;

/// <summary>Reads OpenAI's <c>messages</c>: roles, text, and media parts whose bytes stand in data: URLs.</summary>
internal sealed class ChatMessageReader(MediaUrlReader urls)
{
    private const int MaxMessages = 4096;

    private readonly List<MediaPart> _media = [];

    /// <summary>The conversation of <paramref name="fields"/>.</summary>
    public GenerationInput.Chat Read(FieldReader fields)
    {
        JsonElement field = fields.Field("messages") ?? throw fields.Missing("messages");
        if (field.ValueKind != JsonValueKind.Array || field.GetArrayLength() is 0 or > MaxMessages)
        {
            throw fields.Bad("messages", $"an array of 1 to {MaxMessages} messages", field);
        }
        ChatMessage[] messages = [.. field.EnumerateArray().Select((message, index) => Message(message, $"messages[{index}]"))];
        return new GenerationInput.Chat(messages, _media)
        {
            Tools = fields.Field("tools"),
            TemplateArguments = fields.Object("chat_template_kwargs")?.Value,
        };
    }

    private ChatMessage Message(JsonElement value, string path)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            throw FieldReader.Invalid(path, $"'{path}' must be an object");
        }
        var message = new FieldReader(value, path);
        string role = message.String("role") ?? throw message.Missing("role");
        return new ChatMessage(role, Parts(message), value);
    }

    private IReadOnlyList<ChatPart> Parts(FieldReader message)
    {
        if (message.Field("content") is not { } content)
        {
            return [];
        }
        return content.ValueKind switch
        {
            JsonValueKind.String => [new ChatPart(content.GetString(), null)],
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
            "text" => new ChatPart(part.String("text") ?? throw part.Missing("text"), null),
            "image_url" => Media("image", Url(part, "image_url"), path),
            "video_url" => Media("video", Url(part, "video_url"), path),
            "audio_url" => Media("audio", Url(part, "audio_url"), path),
            "input_audio" => Audio(part, path),
            _ => throw FieldReader.Invalid(
                path, $"'{path}.type' must be text, image_url, video_url, audio_url or input_audio, not '{type}'"),
        };
    }

    private static string Url(FieldReader part, string name) => part.Field(name) switch
    {
        { ValueKind: JsonValueKind.String } url => url.GetString()!,
        { ValueKind: JsonValueKind.Object } => part.Object(name)!.Value.String("url") ?? throw part.Object(name)!.Value.Missing("url"),
        _ => throw part.Missing(name),
    };

    private ChatPart Media(string kind, string url, string path) => Add(new MediaPart(kind, urls.Read(url, path), path));

    private ChatPart Audio(FieldReader part, string path)
    {
        FieldReader audio = part.Object("input_audio") ?? throw part.Missing("input_audio");
        string data = audio.String("data") ?? throw audio.Missing("data");
        return Add(new MediaPart("audio", urls.FromBase64(data, path), path));
    }

    private ChatPart Add(MediaPart media)
    {
        _media.Add(media);
        return new ChatPart(null, _media.Count - 1);
    }
}
