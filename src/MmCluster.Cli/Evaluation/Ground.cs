namespace MmCluster.Cli.Evaluation;

/// <summary>Patterns of a background.</summary>
internal enum Texture
{
    Plain,
    Horizontal,
    Vertical,
    Diagonal,
    Checks,
    Dots,
    Gradient,
}

/// <summary>Paints backgrounds.</summary>
internal static class Ground
{
    // As eval.json spells them, in the enumeration's order.
    private static readonly string[] Names = [.. Enum.GetNames<Texture>().Select(name => name.ToLowerInvariant())];

    /// <summary>The textures that there are.</summary>
    public static string Known => string.Join(", ", Names);

    /// <summary>The texture of a name, or null.</summary>
    public static Texture? TextureOf(string name) => Array.IndexOf(Names, name) is >= 0 and int index ? (Texture)index : null;

    /// <summary>Fills a square canvas, [side, side, 3].</summary>
    public static void Paint(Background ground, int side, Span<double> canvas)
    {
        for (int y = 0, at = 0; y < side; y++)
        {
            for (int x = 0; x < side; x++, at += 3)
            {
                bool odd = IsSecond(ground.Texture, x, y, ground.Period);
                for (int channel = 0; channel < 3; channel++)
                {
                    int first = ground.First[channel], second = ground.Second[channel];
                    canvas[at + channel] = ground.Texture == Texture.Gradient ? first + ((second - first) * y / (side - 1)) : odd ? second : first;
                }
            }
        }
    }

    private static bool IsSecond(Texture texture, int x, int y, int p) => texture switch
    {
        Texture.Plain or Texture.Gradient => false,
        Texture.Horizontal => y / p % 2 == 1,
        Texture.Vertical => x / p % 2 == 1,
        Texture.Diagonal => (x + y) / p % 2 == 1,
        Texture.Checks => ((x / p) + (y / p)) % 2 == 1,
        Texture.Dots => Square((2 * (x % p)) - p) + Square((2 * (y % p)) - p) < p * p * 9 / 25,
        _ => throw new System.Diagnostics.UnreachableException($"no pattern for {texture}"),
    };

    private static int Square(int value) => value * value;
}
