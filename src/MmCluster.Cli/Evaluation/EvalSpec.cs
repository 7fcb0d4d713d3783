namespace MmCluster.Cli.Evaluation;

/// <summary>An evaluation's rules, checked: every draw has something to draw from, every size a bound.</summary>
internal sealed class EvalSpec
{
    /// <summary>Items a task has at most.</summary>
    public const int MostItems = 10_000;

    private static readonly string[] KnownTasks = ["name", "position", "count", "background", "presence", "absent"];

    private static readonly string[] QuestionKeys =
        ["name_one", "name_all", "where", "what_relation", "relation", "is_relation", "what_cell", "count", "background", "presence"];

    private readonly string _path;
    private readonly EvalFile _file;

    /// <summary>Checks a file's content.</summary>
    /// <exception cref="InvalidDataException">A field is out of its range; the message has file and key.</exception>
    public EvalSpec(EvalFile file, string path)
    {
        (_file, _path) = (file, path);
        Check(file.Schema == 1, "schema", $"must be 1, is {file.Schema}");
        Check(file.Canvas is >= 16 and <= 1024, "canvas", "must be 16 to 1024 pixels");
        Words(file.Cells, 9, "cells");
        Words(file.Relations, 4, "relations");
        Words(file.Numbers, 5, "numbers");
        Check(file.CellMargin is >= 0 and <= 512, "cell_margin", "must be 0 to 512 pixels");
        Check(file.Relation.Least is >= 1 and <= 1024 && file.Relation.RatioPercent is >= 0 and <= 10_000, "relation", "wants least from 1 to 1024 and ratio_percent to 10000");
        Check(file.ReachPercent is >= 0 and <= 100, "reach_percent", "must be 0 to 100");
        Check(file.ApartPercent.Length > 0 && file.ApartPercent.All(percent => percent is >= 0 and <= 200), "apart_percent", "wants numbers from 0 to 200");
        Check(file.Angle is >= 0 and <= 180, "angle", "must be 0 to 180 degrees");
        Check(file.Heldout.Grid is >= 1 and <= 32, "heldout.grid", "must be 1 to 32");
        Check(Math.Min(file.Heldout.PairModulus, Math.Min(file.Heldout.CellModulus, file.Heldout.MirrorModulus)) >= 1, "heldout", "moduli must be at least 1");
        Sizes = [.. Enumerable.Range(1, Scene.MostThings).Select(SizesOf)];
        TextureShadePercent = RangeOf(file.TextureShadePercent, 0, 100, "texture_shade_percent");
        TexturePeriod = RangeOf(file.TexturePeriod, 1, file.Canvas, "texture_period");
        Check(file.Colours.Count is >= 2 and <= 100, "colours", "wants 2 to 100 colours");
        Colours = [.. file.Colours.Select(pair => ColourOf(pair.Key, pair.Value))];
        Check(file.Textures.Length > 0, "textures", "wants at least one");
        Textures = [.. file.Textures.Select((name, i) => Ground.TextureOf(name) ?? throw Wrong($"textures[{i}]", $"'{name}' is not known; known: {Ground.Known}"))];
        foreach (string key in QuestionKeys)
        {
            Words(file.Questions.GetValueOrDefault(key) ?? [], 1, $"questions.{key}");
        }
        Columns = [Column("tasks", file.Tasks), Column("heldout_pairs", file.HeldoutPairs), Column("second_rendering", file.SecondRendering)];
    }

    public ulong Seed => _file.Seed;

    /// <summary>Side of the pictures, pixels.</summary>
    public int Canvas => _file.Canvas;

    /// <summary>The ninths of a picture in reading order, as answers call them.</summary>
    public IReadOnlyList<string> Cells => _file.Cells;

    /// <summary>Pixels by which a centre must lie within its ninth.</summary>
    public int CellMargin => _file.CellMargin;

    /// <summary>No, one, two, ...</summary>
    public IReadOnlyList<string> Numbers => _file.Numbers;

    /// <summary>Words for left, right, above, below.</summary>
    public IReadOnlyList<string> Relations => _file.Relations;

    public RelationRule Relation => _file.Relation;

    /// <summary>Object sizes in pixels, by the number of objects less one.</summary>
    public IReadOnlyList<Range32> Sizes { get; }

    /// <summary>How far a centre stays from the edge, percent of the object's size.</summary>
    public int ReachPercent => _file.ReachPercent;

    /// <summary>Least distances of centres, percent of the sizes' mean; one is drawn.</summary>
    public IReadOnlyList<int> ApartPercent => _file.ApartPercent;

    /// <summary>Largest rotation, degrees.</summary>
    public int Angle => _file.Angle;

    public HeldOutRule HeldOut => _file.Heldout;

    public IReadOnlyList<EvalColour> Colours { get; }

    public IReadOnlyList<Texture> Textures { get; }

    public Range32 TextureShadePercent { get; }

    public Range32 TexturePeriod { get; }

    /// <summary>The wordings of a question.</summary>
    public IReadOnlyList<string> Questions(string key) => _file.Questions[key];

    /// <summary>The columns in order, each with its tasks and their counts.</summary>
    public IReadOnlyList<EvalColumn> Columns { get; }

    /// <summary>What is wrong with the file; the message has file and key.</summary>
    public InvalidDataException Wrong(string key, string what) => new($"{_path}: {key}: {what}");

    private Range32 SizesOf(int count)
    {
        string key = $"sizes.{count}";
        Range32 range = RangeOf(_file.Sizes.GetValueOrDefault($"{count}") ?? [], 4, _file.Canvas, key);
        Check(2 * (range.High * _file.ReachPercent / 100) < _file.Canvas, key, "objects of this size have no place on the canvas");
        return range;
    }

    private EvalColour ColourOf(string name, int[][] ends)
    {
        string key = $"colours.{name}";
        Check(ends is { Length: 2 } && ends.All(end => end is { Length: 3 }), key, "wants two colours of three channels");
        return new EvalColour(name, [.. Enumerable.Range(0, 3).Select(i => RangeOf([ends[0][i], ends[1][i]], 0, 255, key))], _file.OneDrawColours.Contains(name));
    }

    private EvalColumn Column(string name, OrderedDictionary<string, int> tasks)
    {
        foreach ((string task, int count) in tasks)
        {
            Check(KnownTasks.Contains(task), $"{name}.{task}", $"no such task; known: {string.Join(", ", KnownTasks)}");
            Check(count is >= 1 and <= MostItems, $"{name}.{task}", $"wants 1 to {MostItems} items");
        }
        return new EvalColumn(name, [.. tasks.Select(pair => (pair.Key, pair.Value))]);
    }

    private Range32 RangeOf(int[] ends, int least, int most, string key)
    {
        Check(ends.Length == 2 && ends[0] >= least && ends[1] <= most && ends[0] <= ends[1], key, $"wants a range within {least} to {most}");
        return new Range32(ends[0], ends[1]);
    }

    private void Words(string[] words, int least, string key) =>
        Check(words.Length >= least && words.All(word => word is { Length: > 0 and <= 1000 }), key, $"wants at least {least} texts of up to 1000 characters");

    private void Check(bool holds, string key, string what)
    {
        if (!holds)
        {
            throw Wrong(key, what);
        }
    }
}

/// <summary>A background colour.</summary>
/// <param name="Name">As answers call it.</param>
/// <param name="Channels">Red, green, blue.</param>
/// <param name="OneDraw">Whether one draw gives all channels: greys.</param>
internal sealed record EvalColour(string Name, IReadOnlyList<Range32> Channels, bool OneDraw);

/// <summary>A column of the report: tasks with their numbers of items.</summary>
internal sealed record EvalColumn(string Name, IReadOnlyList<(string Task, int Count)> Tasks)
{
    /// <summary>Whether the first two objects are a pair that training never showed together.</summary>
    public bool HeldOutPairs => Name == "heldout_pairs";

    /// <summary>Whether objects are mirrored, resized and put on another background.</summary>
    public bool SecondRendering => Name == "second_rendering";
}
