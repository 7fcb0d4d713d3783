using System.Text;
using System.Text.Json;
using MmCluster.Engine;
using MmCluster.Models;

namespace MmCluster.Gateway.OpenAi;

/// <summary>
/// Reads what the text must conform to: OpenAI's response_format, and vLLM's names for the same thing, the present one (structured_outputs) and
/// those before it (guided_json, guided_regex, ...).
/// </summary>
internal static class StructureReader
{
    private const string AnyObject = """{"type":"object"}""";
    private const int MaxOptions = 1024;

    /// <summary>The constraint of a request, or null.</summary>
    /// <exception cref="MmException">InvalidArgument, naming the field.</exception>
    public static StructuredOutput? Read(FieldReader fields) =>
        fields.Object("structured_outputs") is { } structured
            ? Named(structured, "") ?? throw FieldReader.Invalid("structured_outputs", "'structured_outputs' must have json, json_object, regex or choice")
            : Named(fields, "guided_") ?? ResponseFormat(fields);

    private static StructuredOutput? Named(FieldReader fields, string prefix)
    {
        foreach (string unsupported in new[] { "grammar", "structural_tag" })
        {
            if (fields.Field(prefix + unsupported) is not null)
            {
                throw FieldReader.Invalid(prefix + unsupported, $"'{prefix}{unsupported}' is not supported; json, regex and choice are");
            }
        }
        return fields.String(prefix + "regex") is { } regex ? new StructuredOutput.Regex(regex)
            : fields.Field(prefix + "json") is { } json ? Schema(json)
            : fields.Field(prefix + "choice") is { } options ? Choice(fields, prefix + "choice", options)
            : fields.Bool(prefix + "json_object") ? new StructuredOutput.JsonSchema(AnyObject)
            : null;
    }

    private static StructuredOutput? ResponseFormat(FieldReader fields)
    {
        if (fields.Object("response_format") is not { } format)
        {
            return null;
        }
        return format.String("type") switch
        {
            "text" => null,
            "json_object" => new StructuredOutput.JsonSchema(AnyObject),
            "json_schema" => new StructuredOutput.JsonSchema(
                (format.Object("json_schema") ?? throw format.Missing("json_schema")).Field("schema")?.GetRawText() ?? "{}"),
            "regex" => new StructuredOutput.Regex(format.String("pattern") ?? format.String("regex") ?? throw format.Missing("pattern")),
            null => throw format.Missing("type"),
            var other => throw FieldReader.Invalid(
                "response_format.type", $"'response_format.type' must be text, json_object, json_schema or regex, not '{other}'"),
        };
    }

    private static StructuredOutput.JsonSchema Schema(JsonElement schema) =>
        new(schema.ValueKind == JsonValueKind.String ? schema.GetString()! : schema.GetRawText());

    private static StructuredOutput.Regex Choice(FieldReader fields, string name, JsonElement value)
    {
        IReadOnlyList<string> options = value.ValueKind == JsonValueKind.Array ? fields.Strings(name, MaxOptions) : [];
        return options.Count > 0
            ? new StructuredOutput.Regex(string.Join('|', options.Select(Literal)))
            : throw fields.Bad(name, $"an array of 1 to {MaxOptions} strings", value);
    }

    private static string Literal(string text)
    {
        var literal = new StringBuilder();
        foreach (char letter in text)
        {
            literal.Append(char.IsAscii(letter) && !char.IsLetterOrDigit(letter) ? "\\" : "").Append(letter);
        }
        return literal.ToString();
    }
}
