using MmCluster.Models.Cards;
using MmCluster.Tensors;

namespace MmCluster.Engine.Generation;

/// <summary>
/// Output projector, generator and decoder of one kind of media: a condition to a file. It may compute several at once. Safe to call from any thread; it
/// computes on threads of its own.
/// </summary>
public interface IMediaGenerator : IDisposable
{
    /// <summary>Bytes that it holds.</summary>
    long Bytes { get; }

    /// <summary>Makes one item. Equal conditions give equal bytes.</summary>
    /// <param name="condition">What is asked for.</param>
    /// <param name="progress">Is told after each denoising step, from any thread, and takes no time.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="Models.MmException">What is wrong with the condition.</exception>
    Task<MediaOutput> GenerateAsync(GenerationCondition condition, IProgress<GenerationStep> progress, CancellationToken cancellationToken);
}

/// <summary>How far an item is.</summary>
/// <param name="Done">Denoising steps that are done.</param>
/// <param name="Of">Of so many.</param>
public readonly record struct GenerationStep(int Done, int Of);

/// <summary>What a language model asks a generator for.</summary>
/// <param name="SignalTokens">The ids by which it asked, in order.</param>
/// <param name="Hidden">[signal tokens, hidden] states of the language model at those ids, or null where it does not tell them. The caller's.</param>
/// <param name="Seed">The request's seed; with <paramref name="Index"/> it fixes the noise.</param>
/// <param name="Index">Which of the request's items.</param>
public sealed record GenerationCondition(ReadOnlyMemory<int> SignalTokens, Tensor? Hidden, ulong Seed, int Index);

/// <summary>Finds the networks of generators.</summary>
public interface IMediaGenerators
{
    /// <summary>Loads the generator that <paramref name="component"/> describes, with the output projectors that feed it.</summary>
    /// <exception cref="NotSupportedException">An unknown network; the message lists the known ones.</exception>
    IMediaGenerator Load(string folder, ModelCard card, ComponentCard component, Device device);
}
