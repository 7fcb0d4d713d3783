using MmCluster.Tokenizers.PostProcessors;

namespace MmCluster.Tokenizers.Json;

/// <summary>Builds the post-processors of tokenizer.json, for one sequence at a time.</summary>
internal static class PostProcessorReader
{
    private const string Known = "TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel, Sequence";

    private const int MaxTemplate = 1024;

    public static PostProcessor Read(JsonPart part)
    {
        string type = part.Required("type").AsString();
        return type switch
        {
            "TemplateProcessing" => ReadTemplate(part),
            "BertProcessing" or "RobertaProcessing" => new TemplatePostProcessor([IdOf(part.Required("cls")), null, IdOf(part.Required("sep"))]),
            // Adjusts offsets only.
            "ByteLevel" => new SequencePostProcessor([]),
            "Sequence" => new SequencePostProcessor([.. part.Required("processors").Items().Select(Read)]),
            _ => throw part.Unknown(type, Known),
        };
    }

    private static int? IdOf(JsonPart pair)
    {
        JsonPart[] items = [.. pair.Items()];
        return items.Length == 2 ? items[1].AsInt() : throw pair.Expected("a token and its id");
    }

    private static TemplatePostProcessor ReadTemplate(JsonPart part)
    {
        var special = new Dictionary<string, int[]>();
        foreach ((string name, JsonPart token) in part.Required("special_tokens").Members())
        {
            special[name] = [.. token.Required("ids").Items().Select(id => id.AsInt())];
        }
        var template = new List<int?>();
        foreach (JsonPart piece in part.Required("single").Items())
        {
            if (piece.Optional("SpecialToken") is { } token)
            {
                string name = token.Required("id").AsString();
                template.AddRange((special.GetValueOrDefault(name)
                    ?? throw new InvalidDataException($"{token.Path}: '{name}' is not among the special_tokens")).Select(id => (int?)id));
            }
            else if (piece.Required("Sequence").Required("id").AsString() == "A")
            {
                template.Add(null);
            }
            if (template.Count > MaxTemplate)
            {
                throw new InvalidDataException($"{part.Path}: more than {MaxTemplate} tokens");
            }
        }
        return new TemplatePostProcessor(template);
    }
}
