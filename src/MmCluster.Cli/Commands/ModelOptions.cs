using System.CommandLine;
using MmCluster.Cli.Hosting;
using MmCluster.Engine;
using MmCluster.Engine.Encoders;
using MmCluster.Engine.Hosting;
using MmCluster.Models.Catalog;
using MmCluster.Models.Hub;

namespace MmCluster.Cli.Commands;

/// <summary>The MODEL argument and the options that say how it is loaded, the same on every command that runs one.</summary>
/// <param name="dtype">The default of <c>--dtype</c>.</param>
internal sealed class ModelOptions(string dtype = "bf16")
{
    private readonly Argument<string?> _model = new("MODEL")
    {
        Description = "A folder, a card's name, or ORG/NAME of a pulled model; default: the shipped one.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly LoadingOptions _loading = new(dtype);
    private readonly Option<long?> _encoderCache = NumberOptions.BytesOrNone(
        "--encoder-cache-bytes", "Memory for encoded media that no request holds at the moment; default: 268435456.");

    /// <summary>The options, without MODEL.</summary>
    public IReadOnlyList<Option> All => [.. _loading.All, MaxLengthOption, _encoderCache];

    /// <summary><c>--max-model-len</c>.</summary>
    public Option<int?> MaxLengthOption { get; } = NumberOptions.PositiveOrNone("--max-model-len", "Longest sequence; default: the model's.");

    /// <summary><c>--threads</c>.</summary>
    public Option<int> Threads => _loading.Weights.Threads;

    /// <summary>Adds MODEL, which may be left out, and the options.</summary>
    public void AddTo(Command command)
    {
        command.Add(_model);
        AddOptionsTo(command);
    }

    /// <summary>Adds the options alone, for a command that takes MODEL in its own way.</summary>
    public void AddOptionsTo(Command command) => command.AddAll(All);

    /// <summary>What was written for MODEL, or null.</summary>
    public string? Name(ParseResult parsed) => parsed.GetValue(_model);

    /// <summary>What was written for <c>--max-model-len</c>, or null.</summary>
    public int? MaxLength(ParseResult parsed) => parsed.GetValue(MaxLengthOption);

    /// <summary>Whether a word is a model's folder or a card's name.</summary>
    public static bool IsModel(string word, CommandContext context) => Directory.Exists(word)
        || new ModelLocator(context.Cards, LocalStore.FromEnvironment(context.Environment)).Cards.Any(card => card.Name == word);

    /// <summary>Finds the model of that name, or the default where there is none.</summary>
    public static LocatedModel Locate(string? name, CommandContext context)
    {
        var locator = new ModelLocator(context.Cards, LocalStore.FromEnvironment(context.Environment));
        return name is null ? locator.Default : locator.Locate(name);
    }

    /// <summary>Sets how many threads compute.</summary>
    public void ApplyThreads(ParseResult parsed) => _loading.Weights.ApplyThreads(parsed);

    /// <summary>Loads it.</summary>
    public LocalModel Load(ParseResult parsed, LocatedModel model, EngineOptions engine) => LocalModel.Load(model.Folder, new LocalModelOptions
    {
        Card = model.Card,
        Load = _loading.Weights.Load(parsed),
        Engine = engine with { MaxModelLength = MaxLength(parsed) },
        Encoders = parsed.GetValue(_encoderCache) is { } bytes ? new EncoderOptions { CacheBytes = bytes } : new EncoderOptions(),
        Executor = _loading.Executor(parsed),
        PipelineShards = _loading.PipelineShards(parsed),
        TensorRanks = _loading.TensorRanks(parsed),
    });
}
