namespace MmCluster.Cli.Evaluation;

/// <summary>A question with its answer.</summary>
internal sealed record Asked(string Question, string Answer);

/// <summary>
/// Asks about scenes. A method returns null when its question does not fit the scene; a question's wording is the last draw.
/// </summary>
internal sealed class Asker(EvalWorld world)
{
    // Beyond this, an object that is not clearly to that side still makes "what is left of" ambiguous.
    private const int NearlyThere = 8;

    private readonly EvalSpec _spec = world.Spec;
    private readonly SceneGeometry _geometry = new(world.Spec);

    public Asked NameOne(SplitMix64 random, Scene scene) => new(Question(random, "name_one"), $"This is {world.Kinds[scene.Things[0].Kind].WithArticle}.");

    public Asked NameAll(SplitMix64 random, Scene scene)
    {
        List<(int Kind, int Count)> groups = scene.Groups();
        string verb = groups[0].Count == 1 ? "is" : "are";
        return new(Question(random, "name_all"), $"There {verb} {Join([.. groups.Select(group => Some(group.Kind, group.Count))])} in the picture.");
    }

    public Asked? Where(SplitMix64 random, Scene scene, Thing thing)
    {
        if (!_geometry.IsClearlyInCell(thing) || !scene.IsSingle(thing.Kind))
        {
            return null;
        }
        string x = Noun(thing.Kind);
        return new(Question(random, "where", ("x", x)), $"The {x} is {_spec.Cells[_geometry.CellOf(thing)]}.");
    }

    /// <summary>What is on one side of an object: one clear object there. Null also where nothing is, which is drawn as a question nevertheless.</summary>
    public Asked? WhatRelation(SplitMix64 random, Scene scene, Thing thing, Relation relation)
    {
        if (!scene.IsSingle(thing.Kind))
        {
            return null;
        }
        Thing[] others = [.. scene.Things.Where(other => !ReferenceEquals(other, thing))];
        Thing[] found = [.. others.Where(other => _geometry.Between(other, thing) == relation)];
        bool near = others.Except(found, ReferenceEqualityComparer.Instance).Any(other => SceneGeometry.Distance((Thing)other!, thing, relation) > NearlyThere);
        if (near || found.Length > 1 || (found.Length == 1 && !scene.IsSingle(found[0].Kind)))
        {
            return null;
        }
        (string word, string y) = (Word(relation), Noun(thing.Kind));
        string question = Question(random, "what_relation", ("relation", word), ("y", y));
        return found.Length == 0 ? null : new(question, $"The {Noun(found[0].Kind)} is {word} the {y}.");
    }

    public Asked? RelationOf(SplitMix64 random, Scene scene, Thing a, Thing b)
    {
        if (ClearRelation(scene, a, b) is not { } found)
        {
            return null;
        }
        (string x, string y) = (Noun(a.Kind), Noun(b.Kind));
        return new(Question(random, "relation", ("x", x), ("y", y)), $"The {x} is {Word(found)} the {y}.");
    }

    public Asked? IsRelation(SplitMix64 random, Scene scene, Thing a, Thing b)
    {
        if (ClearRelation(scene, a, b) is not { } found)
        {
            return null;
        }
        (string x, string y) = (Noun(a.Kind), Noun(b.Kind));
        Relation asked = random.Below(2) == 1 ? found : AnyRelation(random);
        return new(
            Question(random, "is_relation", ("x", x), ("y", y), ("relation", Word(asked))),
            $"{(asked == found ? "Yes" : "No")}, the {x} is {Word(found)} the {y}.");
    }

    public Asked? WhatCell(SplitMix64 random, Scene scene, Thing thing)
    {
        int cell = _geometry.CellOf(thing);
        if (!_geometry.IsClearlyInCell(thing)
            || scene.Things.Any(other => !ReferenceEquals(other, thing) && (_geometry.CellOf(other) == cell || _geometry.Touches(other, cell))))
        {
            return null;
        }
        string words = _spec.Cells[cell];
        return new(Question(random, "what_cell", ("cell", words)), $"There is {world.Kinds[thing.Kind].WithArticle} {words}.");
    }

    public Asked Count(SplitMix64 random, Scene scene, int kind)
    {
        int count = scene.CountOf(kind);
        EvalKind words = world.Kinds[kind];
        string answer = count == 1 ? $"There is one {words.Name} in the picture." : $"There are {_spec.Numbers[count]} {words.Plural} in the picture.";
        return new(Question(random, "count", ("xs", words.Plural)), answer);
    }

    public Asked Background(SplitMix64 random, Scene scene) =>
        new(Question(random, "background"), $"The background is {scene.Background.Colour}.");

    public Asked Presence(SplitMix64 random, Scene scene, int kind)
    {
        int count = scene.CountOf(kind);
        EvalKind words = world.Kinds[kind];
        string question = Question(random, "presence", ("a", words.Article), ("x", words.Name));
        return new(question, count == 0
            ? $"No, there is no {words.Name} in the picture."
            : $"Yes, there {(count == 1 ? "is" : "are")} {Some(kind, count)} in the picture.");
    }

    /// <summary>A question that takes an absent kind for granted, perhaps along with an object that is there.</summary>
    public Asked Absent(SplitMix64 random, int kind, Thing present)
    {
        (string x, string y) = (Noun(kind), Noun(present.Kind));
        return new(AskForAbsent(random, x, y), $"There is no {x} in the picture.");
    }

    private string AskForAbsent(SplitMix64 random, string x, string y)
    {
        int form = random.Below(5);
        if (form < 2)
        {
            return Question(random, "where", ("x", x));
        }
        if (form < 4)
        {
            string word = Word(AnyRelation(random));
            return Question(random, "what_relation", ("relation", word), ("y", x));
        }
        (string first, string second) = random.Below(2) == 1 ? (x, y) : (y, x);
        if (random.Below(2) == 1)
        {
            string word = Word(AnyRelation(random));
            return Question(random, "is_relation", ("x", first), ("y", second), ("relation", word));
        }
        return Question(random, "relation", ("x", first), ("y", second));
    }

    private static Relation AnyRelation(SplitMix64 random) => (Relation)random.Below(4);

    private Relation? ClearRelation(Scene scene, Thing a, Thing b) =>
        a.Kind != b.Kind && scene.IsSingle(a.Kind) && scene.IsSingle(b.Kind) ? _geometry.Between(a, b) : null;

    private string Question(SplitMix64 random, string key, params ReadOnlySpan<(string Name, string Value)> words)
    {
        IReadOnlyList<string> forms = _spec.Questions(key);
        string text = forms[random.Below(forms.Count)];
        foreach ((string name, string value) in words)
        {
            text = text.Replace($"{{{name}}}", value, StringComparison.Ordinal);
        }
        return text;
    }

    private string Noun(int kind) => world.Kinds[kind].Name;

    private string Word(Relation relation) => _spec.Relations[(int)relation];

    private string Some(int kind, int count) => count == 1 ? world.Kinds[kind].WithArticle : $"{_spec.Numbers[count]} {world.Kinds[kind].Plural}";

    private static string Join(string[] parts) => parts.Length == 1 ? parts[0] : $"{string.Join(", ", parts[..^1])} and {parts[^1]}";
}
