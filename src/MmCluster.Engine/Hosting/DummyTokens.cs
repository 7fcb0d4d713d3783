using MmCluster.Models.Catalog;
using MmCluster.Tokenizers;

namespace MmCluster.Engine.Hosting;

/// <summary>The tokenizer of a model with made-up weights: its configuration's special ids and placeholders, and bytes for all else.</summary>
internal static class DummyTokens
{
    /// <summary>Null where the vocabulary is too small for bytes; prompts are token ids then.</summary>
    public static Tokenizer? For(LoadedModel model)
    {
        int size = model.Backbone!.Spec.VocabularySize;
        Dictionary<int, string> special = [];
        string? eos = Add(special, model.SpecialTokens.Eos.Count > 0 ? model.SpecialTokens.Eos[0] : null, "</s>");
        string? bos = Add(special, model.SpecialTokens.Bos, "<s>");
        string? placeholder = model.Card.Components.Select(component => component.Placeholder).FirstOrDefault(text => text is not null);
        if (placeholder is not null)
        {
            Add(special, model.SpecialTokens.Media ?? size, placeholder);
        }
        return size - special.Keys.Count(id => id < size) < DummyTokenizer.LeastVocabulary ? null : DummyTokenizer.Create(size, special, bos, eos);
    }

    private static string? Add(Dictionary<int, string> special, int? id, string text) => id is { } known && special.TryAdd(known, text) ? text : null;
}
