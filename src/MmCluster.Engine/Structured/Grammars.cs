using System.Runtime.CompilerServices;
using MmCluster.Models;

namespace MmCluster.Engine.Structured;

/// <summary>Compiles text constraints, and keeps the latest ones of a vocabulary. Safe to call from any thread.</summary>
internal sealed class Grammars
{
    private const int MaxKept = 16;

    private static readonly ConditionalWeakTable<IVocabulary, Grammars> OfVocabulary = [];

    private readonly Lock _gate = new();
    private readonly Dictionary<StructuredOutput, TokenGrammar> _compiled = [];
    private readonly Lazy<VocabularyTrie> _trie;

    private Grammars(IVocabulary vocabulary, int vocabularySize) => _trie = new Lazy<VocabularyTrie>(() => new VocabularyTrie(vocabulary, vocabularySize));

    /// <exception cref="MmException">InvalidArgument: the constraint is not supported or too large, or the model has no tokenizer.</exception>
    public static TokenGrammar Compile(StructuredOutput structure, EngineOptions options, int vocabularySize)
    {
        IVocabulary vocabulary = options.Vocabulary ?? throw Pattern.Refuse("the model has no tokenizer, which structured output needs");
        return OfVocabulary.GetValue(vocabulary, key => new Grammars(key, vocabularySize)).Compile(structure);
    }

    private TokenGrammar Compile(StructuredOutput structure)
    {
        lock (_gate)
        {
            if (_compiled.TryGetValue(structure, out TokenGrammar? known))
            {
                return known;
            }
        }
        Pattern pattern = structure switch
        {
            StructuredOutput.JsonSchema schema => JsonSchemaPattern.Build(schema.Schema),
            StructuredOutput.Regex regex => RegexParser.Parse(regex.Pattern),
            _ => throw new System.Diagnostics.UnreachableException($"no grammar for a {structure.GetType().Name}"),
        };
        PatternGrammar grammar = new(new Automaton(pattern), _trie.Value);
        lock (_gate)
        {
            if (_compiled.Count >= MaxKept)
            {
                _compiled.Clear();
            }
            _compiled[structure] = grammar;
        }
        return grammar;
    }
}
