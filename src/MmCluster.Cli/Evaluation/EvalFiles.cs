using System.Text.Json.Serialization;

namespace MmCluster.Cli.Evaluation;

/// <summary>eval.json: words, limits and counts of an evaluation set. <see cref="EvalSpec"/> has them checked.</summary>
internal sealed record EvalFile(
    int Schema,
    ulong Seed,
    int Canvas,
    string[] Cells,
    int CellMargin,
    string[] Numbers,
    string[] Relations,
    RelationRule Relation,
    Dictionary<string, int[]> Sizes,
    int ReachPercent,
    int[] ApartPercent,
    int Angle,
    HeldOutRule Heldout,
    OrderedDictionary<string, int[][]> Colours,
    string[] OneDrawColours,
    string[] Textures,
    int[] TextureShadePercent,
    int[] TexturePeriod,
    Dictionary<string, string[]> Questions,
    OrderedDictionary<string, int> Tasks,
    OrderedDictionary<string, int> HeldoutPairs,
    OrderedDictionary<string, int> SecondRendering);

/// <summary>When an object counts as beside another one.</summary>
/// <param name="Least">Pixels between the centres along the direction.</param>
/// <param name="RatioPercent">Percent of the other direction's distance.</param>
internal sealed record RelationRule(int Least, int RatioPercent);

/// <summary>What training never saw, by remainders of <see cref="Fnv1a"/>.</summary>
internal sealed record HeldOutRule(int PairModulus, int Grid, int CellModulus, int MirrorModulus);

/// <summary>names.json: the kinds in order, with their sprites' side in pixels.</summary>
internal sealed record NamesFile(int Schema, int Side, EvalKind[] Kinds);

/// <summary>A kind of object.</summary>
/// <param name="Name">Singular.</param>
/// <param name="Article">a or an.</param>
/// <param name="Plural">Plural.</param>
/// <param name="File">Its sprite, beside names.json.</param>
internal sealed record EvalKind(string Name, string Article, string Plural, string File)
{
    /// <summary>With its article.</summary>
    [JsonIgnore]
    public string WithArticle => $"{Article} {Name}";
}
