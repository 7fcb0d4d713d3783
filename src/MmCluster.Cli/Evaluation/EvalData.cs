using System.Text.Json;
using System.Text.Json.Serialization;
using MmCluster.Media;
using MmCluster.Media.Images.Png;

namespace MmCluster.Cli.Evaluation;

/// <summary>An evaluation's files: eval.json, names.json and the sprites, read within bounds.</summary>
internal sealed class EvalData
{
    private const int MostKinds = 2000;
    private const int MostSide = 512;
    private const int MostSpriteBytes = 128 << 20;

    private static readonly MediaLimits TextLimits = new() { MaxBytes = 1 << 20 };
    private static readonly MediaLimits SpriteLimits = new() { MaxBytes = 2 << 20, MaxSide = MostSide };

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        NumberHandling = JsonNumberHandling.Strict,
    };

    private EvalData(EvalSpec spec, IReadOnlyList<EvalKind> kinds, IReadOnlyList<Sprite> sprites) => (Spec, Kinds, Sprites) = (spec, kinds, sprites);

    public EvalSpec Spec { get; }

    public IReadOnlyList<EvalKind> Kinds { get; }

    /// <summary>One a kind.</summary>
    public IReadOnlyList<Sprite> Sprites { get; }

    /// <summary>Whether a folder has an evaluation.</summary>
    public static bool IsIn(string folder) => File.Exists(Path.Combine(folder, "eval.json"));

    /// <summary>Reads a folder.</summary>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged or past its bounds; the message names it.</exception>
    public static async Task<EvalData> ReadAsync(string folder, CancellationToken stop)
    {
        string specPath = Path.Combine(folder, "eval.json");
        var spec = new EvalSpec(await ReadJsonAsync<EvalFile>(specPath, stop), specPath);
        string namesPath = Path.Combine(folder, "names.json");
        NamesFile names = await ReadJsonAsync<NamesFile>(namesPath, stop);
        Check(names, namesPath);
        var sprites = new Sprite[names.Kinds.Length];
        for (int i = 0; i < sprites.Length; i++)
        {
            string path = Path.Combine(folder, names.Kinds[i].File);
            RgbaPicture picture = PngReader.ReadRgba(await MediaFile.ReadAsync(path, SpriteLimits, stop), path, SpriteLimits, stop);
            sprites[i] = picture.Width == names.Side && picture.Height == names.Side
                ? new Sprite(picture)
                : throw new InvalidDataException($"{path}: {picture.Width} x {picture.Height} pixels, {namesPath} says {names.Side} x {names.Side}");
        }
        return new EvalData(spec, names.Kinds, sprites);
    }

    private static async Task<T> ReadJsonAsync<T>(string path, CancellationToken stop)
    {
        ReadOnlyMemory<byte> bytes = await MediaFile.ReadAsync(path, TextLimits, stop);
        try
        {
            return JsonSerializer.Deserialize<T>(bytes.Span, Json) ?? throw new InvalidDataException($"{path}: wants an object, is null");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{path}: {error.Message}", error);
        }
    }

    private static void Check(NamesFile names, string path)
    {
        if (names.Schema != 1)
        {
            throw new InvalidDataException($"{path}: schema: must be 1, is {names.Schema}");
        }
        if (names.Side is < 2 or > MostSide)
        {
            throw new InvalidDataException($"{path}: side: must be 2 to {MostSide} pixels, is {names.Side}");
        }
        long most = Math.Min(MostKinds, MostSpriteBytes / (4L * names.Side * names.Side));
        if (names.Kinds.Length < 8 || names.Kinds.Length > most)
        {
            throw new InvalidDataException($"{path}: kinds: wants 8 to {most} of side {names.Side}, has {names.Kinds.Length}");
        }
        for (int i = 0; i < names.Kinds.Length; i++)
        {
            EvalKind? kind = names.Kinds[i];
            if (kind is null || new[] { kind.Name, kind.Article, kind.Plural, kind.File }.Any(text => text.Length is 0 or > 100))
            {
                throw new InvalidDataException($"{path}: kinds[{i}]: name, article, plural and file want 1 to 100 characters each");
            }
            if (Path.IsPathRooted(kind.File) || kind.File.Split('/', '\\').Contains(".."))
            {
                throw new InvalidDataException($"{path}: kinds[{i}].file: '{kind.File}' leads out of the folder");
            }
        }
        if (names.Kinds.GroupBy(kind => kind.Name).FirstOrDefault(group => group.Count() > 1) is { } twice)
        {
            throw new InvalidDataException($"{path}: kinds: '{twice.Key}' is there twice");
        }
    }
}
