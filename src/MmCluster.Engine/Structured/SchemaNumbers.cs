using System.Text.Json;

namespace MmCluster.Engine.Structured;

/// <summary>The number types of a JSON Schema with their bounds.</summary>
internal static class SchemaNumbers
{
    private const decimal Far = 1e20m;

    public static Pattern Integer(JsonElement schema)
    {
        (Bound? least, Bound? most) = Bounds(schema);
        return least is null && most is null ? JsonPatterns.Integer()
            : NumberRanges.Integers(
                least is { } low ? (low.Excluded ? decimal.Floor(low.Value) + 1 : decimal.Ceiling(low.Value)) : null,
                most is { } high ? (high.Excluded ? decimal.Ceiling(high.Value) - 1 : decimal.Floor(high.Value)) : null) ?? Pattern.None;
    }

    public static Pattern Number(JsonElement schema)
    {
        (Bound? least, Bound? most) = Bounds(schema);
        return (least, most) switch
        {
            (null, null) => JsonPatterns.Number(),
            ({ Value: 0, Excluded: false }, null) => JsonPatterns.Number(negative: false),
            _ => NumberRanges.Numbers(least, most) ?? Pattern.None,
        };
    }

    private static (Bound? Least, Bound? Most) Bounds(JsonElement schema)
    {
        Bound? least = End(schema, "minimum", excluded: false);
        Bound? above = End(schema, "exclusiveMinimum", excluded: true);
        Bound? most = End(schema, "maximum", excluded: false);
        Bound? below = End(schema, "exclusiveMaximum", excluded: true);
        return (above is null || least?.Value > above.Value.Value ? least : above, below is null || most?.Value < below.Value.Value ? most : below);
    }

    private static Bound? End(JsonElement schema, string keyword, bool excluded)
    {
        if (!schema.TryGetProperty(keyword, out JsonElement value))
        {
            return null;
        }
        // Beyond the digits that are written nothing is bounded, or nothing is left.
        decimal number = value.TryGetDecimal(out decimal known) ? known : value.GetDouble() > 0 ? Far : -Far;
        return new Bound(Math.Clamp(number, -Far, Far), excluded);
    }
}
