namespace MmCluster.Cli.Evaluation;

/// <summary>Draws scenes at random; the order of draws is part of the set.</summary>
internal sealed class ScenePainter(EvalWorld world)
{
    private const int TriesToPlace = 40;
    private const int TriesToPick = 10_000;

    private readonly EvalSpec _spec = world.Spec;

    /// <summary>Distinct kinds, no two of them a held-out pair; <paramref name="first"/> are taken as they are.</summary>
    /// <exception cref="InvalidDataException">The set has too few kinds for it.</exception>
    public List<int> PickKinds(SplitMix64 random, int count, params IEnumerable<int> first)
    {
        List<int> kinds = [.. first];
        while (kinds.Count < count)
        {
            kinds.Add(Pick(random, kind => !kinds.Contains(kind) && !kinds.Any(other => world.IsHeldPair(kind, other))));
        }
        return kinds;
    }

    /// <summary>Distinct kinds of which the first two are a held-out pair.</summary>
    /// <exception cref="InvalidDataException">A kind has no partner, or the set has too few kinds.</exception>
    public List<int> PickHeldPair(SplitMix64 random, int count)
    {
        int first = random.Below(world.Kinds.Count);
        List<int> partners = world.PartnersOf(first);
        return partners.Count == 0
            ? throw _spec.Wrong("heldout.pair_modulus", $"'{world.Kinds[first].Name}' has no held-out partner")
            : PickKinds(random, count, first, partners[random.Below(partners.Count)]);
    }

    /// <summary>A kind that fits.</summary>
    /// <exception cref="InvalidDataException">None was found.</exception>
    public int Pick(SplitMix64 random, Func<int, bool> fits)
    {
        for (int i = 0; i < TriesToPick; i++)
        {
            int kind = random.Below(world.Kinds.Count);
            if (fits(kind))
            {
                return kind;
            }
        }
        throw _spec.Wrong("heldout", $"no kind of {world.Kinds.Count} fits a scene after {TriesToPick} draws: there are too few kinds, or too many are held out");
    }

    /// <summary>A scene whose first object stands where training never puts it and whose others do not; null when they find no place.</summary>
    public Scene? Draw(SplitMix64 random, IReadOnlyList<int> kinds) =>
        Place(random, kinds) is { } things ? new Scene(things, DrawBackground(random)) : null;

    /// <summary>A background of any colour but <paramref name="avoid"/>.</summary>
    public Background DrawBackground(SplitMix64 random, string? avoid = null)
    {
        EvalColour[] colours = [.. _spec.Colours.Where(colour => colour.Name != avoid)];
        EvalColour colour = colours[random.Below(colours.Length)];
        int[] first = new int[3];
        for (int i = 0; i < 3; i++)
        {
            first[i] = i > 0 && colour.OneDraw ? first[0] : random.In(colour.Channels[i]);
        }
        int shade = random.In(_spec.TextureShadePercent);
        // Darker stripes would not show on black.
        int[] second = [.. first.Select(value => colour.Name == "black" ? value + 25 - (shade / 4) : value * shade / 100)];
        Texture texture = _spec.Textures[random.Below(_spec.Textures.Count)];
        return new Background(colour.Name, first, second, texture, random.In(_spec.TexturePeriod));
    }

    private List<Thing>? Place(SplitMix64 random, IReadOnlyList<int> kinds)
    {
        Range32 sizes = _spec.Sizes[kinds.Count - 1];
        int apart = _spec.ApartPercent[random.Below(_spec.ApartPercent.Count)];
        List<Thing> things = [];
        foreach (int kind in kinds)
        {
            if (FindPlace(random, kind, sizes, apart, things) is not { } thing)
            {
                return null;
            }
            int angle = random.Below(2) == 1 ? random.Below((2 * _spec.Angle) + 1) - _spec.Angle : 0;
            things.Add(thing with { Angle = angle });
        }
        return things;
    }

    private Thing? FindPlace(SplitMix64 random, int kind, Range32 sizes, int apart, List<Thing> others)
    {
        for (int i = 0; i < TriesToPlace; i++)
        {
            int size = random.In(sizes);
            int reach = size * _spec.ReachPercent / 100;
            int x = reach + random.Below(_spec.Canvas - (2 * reach));
            int y = reach + random.Below(_spec.Canvas - (2 * reach));
            if (world.IsHeldPlace(kind, x, y) == (others.Count == 0) && others.TrueForAll(other => AreApart(x, y, size, other, apart)))
            {
                return new Thing(kind, x, y, size, 0);
            }
        }
        return null;
    }

    private static bool AreApart(int x, int y, int size, Thing other, int percent)
    {
        long dx = x - other.X, dy = y - other.Y, least = (long)percent * (size + other.Size);
        return 40_000 * ((dx * dx) + (dy * dy)) >= least * least;
    }
}
