using System.Text.Json;
using System.Text.Json.Nodes;
using MmCluster.Models.Backbones;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Models.Checkpoints;
using MmCluster.Tensors;

namespace MmCluster.Models.Verification;

/// <summary>
/// Compares networks and tokenizers with golden cases. A case is a folder with io.safetensors (inputs <c>in.*</c>, outputs <c>out.*</c>) beside a model,
/// or with vectors.json beside a tokenizer. Cases are known by their class only, never by their name.
/// </summary>
public static class GoldenVerifier
{
    private const int MaxDepth = 3;

    // Which run feeds a class. Adding a network's comparison is a line here.
    private static readonly Dictionary<string, Func<LoadedModel, GoldenCase, VerifyOptions, IGoldenRun>> Runs = new()
    {
        ["LlamaForCausalLM"] = (model, golden, options) => new DecoderRun(model, golden, options),
        ["MistralForCausalLM"] = (model, golden, options) => new DecoderRun(model, golden, options),
        ["Qwen2ForCausalLM"] = (model, golden, options) => new DecoderRun(model, golden, options),
        ["OPTForCausalLM"] = (model, golden, options) => new DecoderRun(model, golden, options),
        ["LlavaForConditionalGeneration"] = (model, golden, options) => new DecoderRun(model, golden, options),
        ["T5ForConditionalGeneration"] = (model, golden, options) => new EncoderDecoderRun(model, golden, options),
        ["CLIPVisionModel"] = (model, golden, _) => new VisionRun(model, golden),
        ["Blip2ForConditionalGeneration"] = Either,
        ["InstructBlipForConditionalGeneration"] = Either,
        ["InstructBlipVideoForConditionalGeneration"] = Either,
    };

    // Classes that are parts of models, not models.
    private static readonly Dictionary<string, Func<GoldenCase, VerifyOptions, IGoldenRun>> Parts = new()
    {
        ["CLIPTextModel"] = (golden, options) => new TextEncoderRun(golden, options),
    };

    private static IGoldenRun Either(LoadedModel model, GoldenCase golden, VerifyOptions options) =>
        model.Backbone is ICrossBackbone ? new EncoderDecoderRun(model, golden, options) : new DecoderRun(model, golden, options);

    /// <summary>Compares every case at or below a folder, in the order of names; results come as they are computed.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    public static IEnumerable<CaseResult> Verify(string folder, VerifyOptions options)
    {
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"{folder}: no such folder");
        }
        return Cases(folder, 0).Select(path => VerifyCase(path, options));
    }

    private static IEnumerable<string> Cases(string folder, int depth)
    {
        if (File.Exists(Path.Combine(folder, "io.safetensors")) || TokenizerCase.Exists(folder))
        {
            return [folder];
        }
        return depth == MaxDepth ? [] : Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal).SelectMany(child => Cases(child, depth + 1));
    }

    private static CaseResult VerifyCase(string folder, VerifyOptions options)
    {
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
        try
        {
            return TokenizerCase.Exists(folder)
                ? TokenizerCase.Verify(folder, name)
                : VerifyNetwork(folder, name, options);
        }
        catch (NotSupportedException error)
        {
            return new CaseResult(name, CaseStatus.Unsupported, null, error.Message);
        }
        catch (Exception error) when (error is InvalidDataException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            return new CaseResult(name, CaseStatus.Fail, null, error.Message);
        }
        catch (Exception error) when (error is not (OutOfMemoryException or OperationCanceledException))
        {
            // One case that breaks us must not hide the verdict on the others.
            return new CaseResult(name, CaseStatus.Fail, null, $"{error.GetType().Name}: {error.Message}");
        }
    }

    private static CaseResult VerifyNetwork(string folder, string name, VerifyOptions options)
    {
        using GoldenCase golden = new(folder);
        if (golden.ClassName is not null && Parts.TryGetValue(golden.ClassName, out Func<GoldenCase, VerifyOptions, IGoldenRun>? startPart))
        {
            using IGoldenRun part = startPart(golden, options);
            return Compare(part, golden, name, options);
        }
        if (golden.ClassName is null || !Runs.TryGetValue(golden.ClassName, out Func<LoadedModel, GoldenCase, VerifyOptions, IGoldenRun>? start))
        {
            return new CaseResult(name, CaseStatus.Unsupported, null,
                $"class {golden.ClassName ?? "unnamed"}; known: {string.Join(", ", Runs.Keys.Concat(Parts.Keys).Order(StringComparer.Ordinal))}");
        }
        ModelCard card = Architectures.CardFor(ModelConfig.Read(Path.Combine(folder, "config.json")), name, golden.ClassName);
        CaseResult result = Run(card);
        if (result.Status == CaseStatus.Ok && result.WorstError < options.Tolerance / 10)
        {
            return result;
        }
        // References made from a model that was rounded to BF16 as a whole have rounded rotary frequencies too; nothing in the files says so. Short rows
        // may be within the tolerance with either.
        CaseResult rounded = Run(WithRoundedFrequencies(card));
        return rounded.Status == CaseStatus.Ok && (result.Status != CaseStatus.Ok || rounded.WorstError < result.WorstError)
            ? rounded with { Reason = "with rotary frequencies in bfloat16" }
            : result;

        CaseResult Run(ModelCard variant)
        {
            LoadedModel model = LoadedModel.Load(folder, new LoadOptions { Backbone = options.Matrices, Device = options.Device }, variant);
            using IGoldenRun run = start(model, golden, options);
            return Compare(run, golden, name, options);
        }
    }

    private static ModelCard WithRoundedFrequencies(ModelCard card) => card with
    {
        Components = [.. card.Components.Select(component => component.Kind == ComponentKind.Backbone
            ? component with { Config = Rounded(component.Config) }
            : component)],
    };

    private static JsonElement Rounded(JsonElement? config)
    {
        JsonObject values = config is { } given ? JsonObject.Create(given)! : [];
        values[RopeParameters.FrequencyType] = "bfloat16";
        return JsonSerializer.SerializeToElement(values);
    }

    private static CaseResult Compare(IGoldenRun run, GoldenCase golden, string name, VerifyOptions options)
    {
        List<(string, double)> errors = [];
        List<string> failures = [];
        double? worst = null;
        foreach (string output in golden.Outputs)
        {
            StoredTensor expected = golden.Expected(output);
            using Tensor? actual = run.Output(output, expected.Shape);
            if (actual is null)
            {
                failures.Add($"{output}: unknown output");
                continue;
            }
            double error = Difference(actual, expected);
            bool isGreedy = !expected.Type.IsFloat();
            if (!isGreedy || options.JudgesGreedy)
            {
                worst = Math.Max(worst ?? 0, error);
            }
            errors.Add((output, error));
            if (isGreedy ? error != 0 && options.JudgesGreedy : !(error < options.Tolerance))
            {
                failures.Add(isGreedy ? $"{output}: ids differ" : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{output}: {error:e1}"));
            }
        }
        if (errors.Count + failures.Count == 0)
        {
            failures.Add("no outputs to compare");
        }
        return new CaseResult(name, failures.Count == 0 ? CaseStatus.Ok : CaseStatus.Fail, worst, string.Join("; ", failures)) { Outputs = errors };
    }

    // ‖out − ref‖ / ‖ref‖ in double precision; another shape, or not a number, differs without bound. Ids are equal or not.
    private static double Difference(Tensor actual, StoredTensor expected)
    {
        if (actual.Rank != expected.Shape.Count || !Enumerable.Range(0, actual.Rank).All(axis => actual.Size(axis) == expected.Shape[axis]))
        {
            return double.PositiveInfinity;
        }
        if (!expected.Type.IsFloat())
        {
            return actual.ToArray<long>().AsSpan().SequenceEqual(expected.ReadIntegers()) ? 0 : 1;
        }
        float[] reference = new float[expected.ElementCount];
        expected.Read(0, reference);
        using Tensor wide = actual.To(DType.F32);
        float[] values = wide.ToArray<float>();
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < values.Length; i++)
        {
            difference += ((double)values[i] - reference[i]) * ((double)values[i] - reference[i]);
            norm += (double)reference[i] * reference[i];
        }
        double error = norm > 0 ? Math.Sqrt(difference / norm) : Math.Sqrt(difference);
        return double.IsNaN(error) ? double.PositiveInfinity : error;
    }
}
