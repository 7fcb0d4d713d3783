using System.Text.Json;
using MmCluster.Tokenizers.Json;

namespace MmCluster.Tokenizers.Jinja;

/// <summary>Turns JSON that a caller sent into values; all its text counts as a user's.</summary>
internal static class JsonValues
{
    // Roles that end up inside special tokens in some templates ('<|' + role + '|>'): only these are taken for trusted.
    private static readonly HashSet<string> KnownRoles = new(StringComparer.Ordinal)
    {
        "system", "user", "assistant", "tool", "function", "developer", "ipython", "model", "environment", "tool_response",
    };

    /// <summary>A value.</summary>
    public static Value Read(JsonPart part) => Read(part, null);

    private static Value Read(JsonPart part, string? key)
    {
        switch (part.Element.ValueKind)
        {
            case JsonValueKind.Null:
                return Value.None;
            case JsonValueKind.True:
                return Value.True;
            case JsonValueKind.False:
                return Value.False;
            case JsonValueKind.Number:
                return part.Element.TryGetInt64(out long integer) && !part.Element.GetRawText().AsSpan().ContainsAny(".eE")
                    ? Value.Of(integer) : new FloatValue(part.AsDouble());
            case JsonValueKind.String:
                string text = part.AsString();
                return new TextValue(text, untrusted: !(key == "role" && KnownRoles.Contains(text)));
            case JsonValueKind.Array:
                return new ListValue([.. part.Items().Select(item => Read(item, null))]);
            case JsonValueKind.Object:
                var result = new DictValue();
                foreach ((string name, JsonPart member) in part.Members())
                {
                    result.Set(new TextValue(name, untrusted: true), Read(member, name));
                }
                return result;
            default:
                throw part.Expected("a JSON value");
        }
    }
}
