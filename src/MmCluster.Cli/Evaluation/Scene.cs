namespace MmCluster.Cli.Evaluation;

/// <summary>One object of a scene.</summary>
/// <param name="Kind">Index of its kind.</param>
/// <param name="X">Centre, canvas pixels from the left.</param>
/// <param name="Y">Centre, canvas pixels from the top.</param>
/// <param name="Size">Side in canvas pixels.</param>
/// <param name="Angle">Degrees, clockwise.</param>
/// <param name="Mirrored">Left and right exchanged.</param>
internal sealed record Thing(int Kind, int X, int Y, int Size, int Angle, bool Mirrored = false);

/// <summary>What is behind the objects.</summary>
/// <param name="Colour">The colour's name.</param>
/// <param name="First">Red, green, blue.</param>
/// <param name="Second">The texture's other colour.</param>
/// <param name="Texture">The pattern.</param>
/// <param name="Period">The pattern's width in pixels.</param>
internal sealed record Background(string Colour, int[] First, int[] Second, Texture Texture, int Period);

/// <summary>Objects in painting order over a background.</summary>
internal sealed record Scene(IReadOnlyList<Thing> Things, Background Background)
{
    /// <summary>Objects a scene has at most.</summary>
    public const int MostThings = 4;

    public int CountOf(int kind) => Things.Count(thing => thing.Kind == kind);

    public bool IsSingle(int kind) => CountOf(kind) == 1;

    /// <summary>Kinds with their counts, from left to right.</summary>
    public List<(int Kind, int Count)> Groups() =>
        [.. Things.OrderBy(thing => thing.X).GroupBy(thing => thing.Kind).Select(group => (group.Key, group.Count()))];
}
