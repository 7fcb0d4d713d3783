namespace MmCluster.Cli.Evaluation;

/// <summary>One question about one picture.</summary>
/// <param name="Column">tasks, heldout_pairs or second_rendering.</param>
/// <param name="Task">name, position, ...</param>
/// <param name="Index">Which of its task.</param>
/// <param name="Scene">What the picture shows.</param>
/// <param name="Question">What is asked.</param>
/// <param name="Expected">The right answer.</param>
internal sealed record EvalItem(string Column, string Task, int Index, Scene Scene, string Question, string Expected);

/// <summary>
/// A fixed evaluation set: every item is drawn by a generator of its own, seeded by the set's seed and the item's name, and drawn again until
/// its task accepts it. The draws and their order define the set: change none. Safe to call from any thread.
/// </summary>
internal sealed class EvalSet(EvalWorld world)
{
    private const int MostTries = 20_000;
    private const int LeastApartToName = 24; // pixels between two objects that are named from left to right

    private readonly ScenePainter _painter = new(world);
    private readonly Asker _asker = new(world);

    /// <summary>The items' names in order, at most <paramref name="limit"/> a task.</summary>
    public IEnumerable<(EvalColumn Column, string Task, int Index)> Names(int limit = int.MaxValue) =>
        from column in world.Spec.Columns
        from task in column.Tasks
        from index in Enumerable.Range(0, Math.Min(task.Count, limit))
        select (column, task.Task, index);

    /// <summary>Draws one item.</summary>
    /// <exception cref="InvalidDataException">The rules leave no scene for it.</exception>
    public EvalItem Draw(EvalColumn column, string task, int index)
    {
        var random = new SplitMix64((world.Spec.Seed << 32) ^ Fnv1a.Hash($"{column.Name}/{task}/{index}"));
        for (int i = 0; i < MostTries; i++)
        {
            if (Try(random, task, column.HeldOutPairs) is not { } found
                || (column.SecondRendering && found.Scene.Things.Any(thing => world.IsMirroredInTraining(thing.Kind))))
            {
                continue;
            }
            Scene scene = column.SecondRendering ? Again(random, found.Scene) : found.Scene;
            return new EvalItem(column.Name, task, index, scene, found.Asked.Question, found.Asked.Answer);
        }
        throw world.Spec.Wrong($"{column.Name}.{task}", $"no scene fits the rules after {MostTries} draws");
    }

    private (Scene Scene, Asked Asked)? Try(SplitMix64 random, string task, bool pair) => task switch
    {
        "name" => Name(random, pair),
        "position" => Position(random, pair),
        "count" => Count(random),
        "background" => Background(random),
        "presence" => Presence(random, pair),
        "absent" => Absent(random, pair),
        _ => throw new System.Diagnostics.UnreachableException($"no task {task}"),
    };

    // Mirrored, a quarter smaller or larger, on another colour.
    private Scene Again(SplitMix64 random, Scene scene)
    {
        int percent = random.Below(2) == 0 ? 75 : 125;
        return new Scene(
            [.. scene.Things.Select(thing => thing with { Size = thing.Size * percent / 100, Angle = -thing.Angle, Mirrored = true })],
            _painter.DrawBackground(random, avoid: scene.Background.Colour));
    }

    private List<int> Kinds(SplitMix64 random, int count, bool pair) => pair ? _painter.PickHeldPair(random, count) : _painter.PickKinds(random, count);

    private (Scene, Asked)? Name(SplitMix64 random, bool pair)
    {
        bool single = !pair && random.Below(10) < 6;
        if (_painter.Draw(random, Kinds(random, single ? 1 : 2, pair)) is not { } scene)
        {
            return null;
        }
        return single ? (scene, _asker.NameOne(random, scene))
            : Math.Abs(scene.Things[0].X - scene.Things[1].X) < LeastApartToName ? null
            : (scene, _asker.NameAll(random, scene));
    }

    private (Scene, Asked)? Position(SplitMix64 random, bool pair)
    {
        if (_painter.Draw(random, Kinds(random, 2 + random.Below(3), pair)) is not { } scene)
        {
            return null;
        }
        (Thing first, Thing second) = (scene.Things[0], scene.Things[1]);
        Asked? asked = (pair ? 1 + random.Below(3) : random.Below(5)) switch
        {
            0 => _asker.Where(random, scene, first),
            1 => _asker.WhatRelation(random, scene, second, (Relation)random.Below(4)),
            2 => _asker.RelationOf(random, scene, first, second),
            3 => _asker.IsRelation(random, scene, first, second),
            _ => _asker.WhatCell(random, scene, first),
        };
        return asked is null ? null : (scene, asked);
    }

    private (Scene, Asked)? Count(SplitMix64 random)
    {
        int wanted = random.Below(Scene.MostThings + 1);
        int least = Math.Max(1, wanted);
        int total = least + random.Below(Scene.MostThings + 1 - least);
        List<int> kinds = _painter.PickKinds(random, 1 + total - wanted);
        int asked = kinds[0];
        return _painter.Draw(random, [.. Enumerable.Repeat(asked, wanted), .. kinds.Skip(1)]) is { } scene
            ? (scene, _asker.Count(random, scene, asked))
            : null;
    }

    private (Scene, Asked)? Background(SplitMix64 random) =>
        _painter.Draw(random, _painter.PickKinds(random, 1 + random.Below(Scene.MostThings))) is { } scene ? (scene, _asker.Background(random, scene)) : null;

    // Yes: the first object. No: a kind that is not there (for a held-out pair, a partner of the first object).
    private (Scene, Asked)? Presence(SplitMix64 random, bool pair)
    {
        bool yes = random.Below(2) == 1;
        List<int> kinds = SomeKinds(random, pair);
        int asked = yes ? kinds[0] : Absentee(random, kinds, pair);
        return _painter.Draw(random, kinds) is { } scene ? (scene, _asker.Presence(random, scene, asked)) : null;
    }

    private (Scene, Asked)? Absent(SplitMix64 random, bool pair)
    {
        List<int> kinds = SomeKinds(random, pair);
        int asked = Absentee(random, kinds, pair);
        return _painter.Draw(random, kinds) is { } scene ? (scene, _asker.Absent(random, asked, scene.Things[0])) : null;
    }

    private List<int> SomeKinds(SplitMix64 random, bool pair) => Kinds(random, pair ? 2 + random.Below(3) : 1 + random.Below(Scene.MostThings), pair);

    private int Absentee(SplitMix64 random, List<int> kinds, bool pair) =>
        _painter.Pick(random, kind => !kinds.Contains(kind) && (!pair || world.IsHeldPair(kinds[0], kind)));
}
