using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;
using MmCluster.Tokenizers.Json;

namespace MmCluster.Tokenizers.Config;

/// <summary>Reads tokenizer_config.json, special_tokens_map.json, added_tokens.json and the chat template files.</summary>
internal sealed class TokenizerConfigReader(string folder)
{
    private const string Additional = "additional_special_tokens";

    private readonly Dictionary<string, string> _named = new(StringComparer.Ordinal);
    private readonly HashSet<string> _additional = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _templates = new(StringComparer.Ordinal);

    /// <summary>What the files say about added tokens.</summary>
    public AddedTokenOverrides Overrides { get; } = new();

    /// <summary>Reads whatever of the files is there.</summary>
    public TokenizerConfig Read()
    {
        TokenizerConfig config = TokenizerConfig.Empty;
        // Later files win: the map is older than the configuration, and template files stand above both.
        FolderFile.ReadJson(folder, "special_tokens_map.json", ReadTokenRoles);
        FolderFile.ReadJson(folder, "added_tokens.json", ReadAddedTokens);
        FolderFile.ReadJson(folder, "tokenizer_config.json", part => config = ReadConfig(part));
        FolderFile.ReadJson(folder, "processor_config.json", ReadTemplate);
        FolderFile.ReadJson(folder, "chat_template.json", ReadTemplate);
        if (FolderFile.TryRead(folder, "chat_template.jinja") is { } jinja)
        {
            _templates["default"] = Encoding.UTF8.GetString(jinja);
        }
        Overrides.Special.UnionWith(_named.Values);
        Overrides.Special.UnionWith(_additional);
        return config with
        {
            BosToken = _named.GetValueOrDefault("bos_token"),
            EosToken = _named.GetValueOrDefault("eos_token"),
            UnknownToken = _named.GetValueOrDefault("unk_token"),
            PadToken = _named.GetValueOrDefault("pad_token"),
            NamedTokens = _named.ToImmutableDictionary(),
            AdditionalSpecialTokens = [.. _additional],
            ChatTemplates = _templates.ToImmutableDictionary(),
        };
    }

    private TokenizerConfig ReadConfig(JsonPart part)
    {
        ReadTokenRoles(part);
        if (part.Optional("added_tokens_decoder") is { } decoder)
        {
            foreach ((string key, JsonPart token) in decoder.Members())
            {
                if (!int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out int id))
                {
                    throw new InvalidDataException($"{decoder.Path}: '{key}' is no id");
                }
                Overrides.Tokens.Add(AddedTokenOverrides.Read(token, token.Required("content").AsString(), id));
            }
        }
        ReadTemplate(part);
        return new TokenizerConfig
        {
            AddBosToken = part.Optional("add_bos_token")?.AsBool(),
            AddEosToken = part.Optional("add_eos_token")?.AsBool(),
            Legacy = part.Optional("legacy")?.AsBool(),
            TokenizerClass = part.StringOr("tokenizer_class", null),
            // Often 1e30, which stands for "no limit".
            ModelMaxLength = part.Optional("model_max_length") is { IsNumber: true } length
                && length.Element.TryGetInt64(out long tokens) ? tokens : null,
        };
    }

    private void ReadTokenRoles(JsonPart part)
    {
        foreach ((string key, JsonPart value) in part.Members())
        {
            if (key.EndsWith("_token", StringComparison.Ordinal) && Content(value) is { Length: > 0 } token)
            {
                _named[key] = token;
            }
        }
        if (part.Optional("extra_special_tokens") is { } extra)
        {
            ReadExtraTokens(extra);
        }
        if (part.Optional(Additional) is { } additional)
        {
            _additional.UnionWith(additional.Items().Select(Content).OfType<string>());
        }
    }

    private void ReadExtraTokens(JsonPart extra)
    {
        if (extra.IsArray)
        {
            _additional.UnionWith(extra.Items().Select(Content).OfType<string>());
            return;
        }
        foreach ((string key, JsonPart value) in extra.Members())
        {
            if (Content(value) is { Length: > 0 } token)
            {
                _named[key] = token;
            }
        }
    }

    private void ReadAddedTokens(JsonPart part)
    {
        foreach ((string content, JsonPart id) in part.Members())
        {
            // The file tells ids only: a token in it is special when another file says so.
            Overrides.Tokens.Add(new AddedToken(id.AsInt(), content, IsSpecial: false));
            if (id.AsInt() is < 0 or > Subwords.Vocabulary.MaxId)
            {
                throw new InvalidDataException($"{id.Path}: '{content}' has id {id.AsInt()}");
            }
        }
    }

    private void ReadTemplate(JsonPart part)
    {
        if (part.Optional("chat_template") is not { } template)
        {
            return;
        }
        if (template.IsString)
        {
            _templates["default"] = template.AsString();
            return;
        }
        if (template.IsObject)
        {
            foreach ((string name, JsonPart text) in template.Members())
            {
                _templates[name] = text.AsString();
            }
            return;
        }
        foreach (JsonPart item in template.Items())
        {
            _templates[item.Required("name").AsString()] = item.Required("template").AsString();
        }
    }

    private static string? Content(JsonPart value)
    {
        if (value.IsString)
        {
            return value.AsString();
        }
        return value.IsObject ? value.StringOr("content", null) : null;
    }
}

/// <summary>Reads files of a folder with a limit on their size.</summary>
internal static class FolderFile
{
    private const long MaxBytes = 256L << 20;

    /// <summary>The content, or null when there is no such file.</summary>
    public static byte[]? TryRead(string folder, string name)
    {
        var file = new FileInfo(Path.Combine(folder, name));
        if (!file.Exists)
        {
            return null;
        }
        return file.Length <= MaxBytes ? File.ReadAllBytes(file.FullName)
            : throw new InvalidDataException($"{file.FullName}: {file.Length} bytes, the limit is {MaxBytes}");
    }

    /// <summary>Parses a JSON file if it is there.</summary>
    public static void ReadJson(string folder, string name, Action<JsonPart> read)
    {
        if (TryRead(folder, name) is { } content)
        {
            string path = Path.Combine(folder, name);
            using JsonDocument document = JsonPart.ParseFile(content, path);
            read(new JsonPart(document.RootElement, path));
        }
    }
}
