using System.Text.Json;
using System.Text.Json.Serialization;

namespace MmCluster.Engine.Simulation;

/// <summary>
/// How long the stages of a simulated model take and how much it holds. Step time = <see cref="StepMilliseconds"/> + computed positions x
/// <see cref="TokenMicroseconds"/> + context positions read x <see cref="ContextNanoseconds"/>: the three terms that a measurement of
/// an empty step, a long prefill and a decode at long context fixes.
/// </summary>
public sealed record SimulationProfile
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        ReadCommentHandling = JsonCommentHandling.Skip,
    };

    /// <summary>Format of the file; 1.</summary>
    public int Schema { get; init; } = 1;

    /// <summary>Fixed cost of a step, ms.</summary>
    public double StepMilliseconds { get; init; } = 20;

    /// <summary>Cost of a computed position, µs.</summary>
    public double TokenMicroseconds { get; init; } = 200;

    /// <summary>Cost of a context position read by a sequence's chunk, ns.</summary>
    public double ContextNanoseconds { get; init; } = 50;

    /// <summary>Cost of encoding a megapixel, ms.</summary>
    public double EncodeMillisecondsPerMegapixel { get; init; } = 150;

    /// <summary>Width of the vocabulary.</summary>
    public int VocabularySize { get; init; } = 32_000;

    /// <summary>Longest sequence.</summary>
    public int MaxModelLength { get; init; } = 4096;

    /// <summary>KV blocks of 16 positions.</summary>
    public int BlockCount { get; init; } = 4096;

    /// <summary>Sequences that may hold a slot.</summary>
    public int MaxSlots { get; init; } = 256;

    /// <summary>Positions a step.</summary>
    public int MaxBatchedTokens { get; init; } = 8192;

    /// <summary>Shards that the layers are split over; each takes an equal part of a step's time.</summary>
    public int PipelineDepth { get; init; } = 1;

    /// <summary>Whether sampled tokens stay on the device, so that the next step is planned while one runs.</summary>
    public bool RunsAhead { get; init; }

    /// <summary>Reads a profile (JSON, snake_case keys as above).</summary>
    /// <exception cref="InvalidDataException">Not JSON, an unknown key, a value out of range; the text names the file.</exception>
    public static SimulationProfile Load(string path)
    {
        SimulationProfile profile;
        try
        {
            profile = JsonSerializer.Deserialize<SimulationProfile>(File.ReadAllBytes(path), Json)
                ?? throw new InvalidDataException($"{path}: the profile is null");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{path}: {error.Message}", error);
        }
        double[] costs = [profile.StepMilliseconds, profile.TokenMicroseconds, profile.ContextNanoseconds, profile.EncodeMillisecondsPerMegapixel];
        int[] sizes = [profile.VocabularySize, profile.MaxModelLength, profile.BlockCount, profile.MaxSlots, profile.MaxBatchedTokens, profile.PipelineDepth];
        return profile.Schema != 1 ? throw new InvalidDataException($"{path}: schema is {profile.Schema}; this version reads 1")
            : costs.Any(cost => !(cost is >= 0 and < 1e9)) ? throw new InvalidDataException($"{path}: a time is negative or too large")
            : sizes.Any(size => size is < 1 or > 1 << 26) ? throw new InvalidDataException($"{path}: a size is not between 1 and {1 << 26}")
            : profile;
    }

    internal TimeSpan StepTime(long positions, long context) => TimeSpan.FromMilliseconds(
        StepMilliseconds + (positions * TokenMicroseconds / 1e3) + (context * ContextNanoseconds / 1e6));
}
