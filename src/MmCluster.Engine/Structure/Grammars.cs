using MmCluster.Models;

namespace MmCluster.Engine.Structure;

/// <summary>Compiles text constraints.</summary>
internal static class Grammars
{
    /// <exception cref="MmException">InvalidArgument: the constraint is not supported or too large, or the model has no tokenizer.</exception>
    public static TokenGrammar Compile(StructuredOutput structure, EngineOptions options, int vocabularySize) =>
        throw new MmException(MmErrorCode.InvalidArgument, $"{structure.GetType().Name} is not supported by {options.Vocabulary} of {vocabularySize}");
}
