using MmCluster.Tokenizers.Json;
using MmCluster.Tokenizers.SentencePiece;

namespace MmCluster.Tokenizers.Config;

/// <summary>Loads a tokenizer from a checkpoint folder.</summary>
internal static class TokenizerFolder
{
    private static readonly string[] SentencePieceNames = ["tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "ice_text.model"];

    public static Tokenizer Load(string folder, IEnumerable<string> alsoSpecial)
    {
        ArgumentNullException.ThrowIfNull(folder);
        var reader = new TokenizerConfigReader(folder);
        TokenizerConfig config = reader.Read();
        reader.Overrides.Special.UnionWith(alsoSpecial);
        if (FolderFile.TryRead(folder, "tokenizer.json") is { } json)
        {
            var core = JsonTokenizer.Parse(json, Path.Combine(folder, "tokenizer.json"), reader.Overrides);
            core.PostProcessor = OwnTemplate(config, core) ?? core.PostProcessor;
            return new Tokenizer(core, config);
        }
        foreach (string name in SentencePieceNames)
        {
            if (FolderFile.TryRead(folder, name) is { } model)
            {
                var core = SentencePieceTokenizer.Parse(model, Path.Combine(folder, name), reader.Overrides, Options(config));
                return new Tokenizer(core, WithDefaults(config, core.DefaultConfig));
            }
        }
        throw new FileNotFoundException(
            $"{folder}: no tokenizer: neither tokenizer.json nor {string.Join(" nor ", SentencePieceNames)} is there");
    }

    private static bool IsLlamaFamily(string? tokenizerClass) => tokenizerClass is not null
        && (tokenizerClass.StartsWith("Llama", StringComparison.Ordinal)
            || tokenizerClass.StartsWith("CodeLlama", StringComparison.Ordinal)
            || tokenizerClass.StartsWith("Gemma", StringComparison.Ordinal));

    // These classes build their template from the two flags, whatever tokenizer.json holds.
    private static PostProcessors.TemplatePostProcessor? OwnTemplate(TokenizerConfig config, JsonTokenizer core)
    {
        if (!IsLlamaFamily(config.TokenizerClass) || (config.AddBosToken is null && config.AddEosToken is null))
        {
            return null;
        }
        var template = new List<int?>();
        if (config.AddBosToken != false && config.BosToken is { } bos && core.IdOf(bos) is { } bosId)
        {
            template.Add(bosId);
        }
        template.Add(null);
        if (config.AddEosToken == true && config.EosToken is { } eos && core.IdOf(eos) is { } eosId)
        {
            template.Add(eosId);
        }
        return new PostProcessors.TemplatePostProcessor(template);
    }

    // The T5 classes end a text with EOS and have no BOS; the others begin with BOS where the model has one.
    private static SentencePieceOptions Options(TokenizerConfig config)
    {
        bool isT5 = config.TokenizerClass?.Contains("T5", StringComparison.Ordinal) == true;
        return new SentencePieceOptions(
            AddBos: config.AddBosToken ?? !isT5,
            AddEos: config.AddEosToken ?? isT5,
            PrefixEveryPiece: config.Legacy ?? true);
    }

    private static TokenizerConfig WithDefaults(TokenizerConfig config, TokenizerConfig defaults) => config with
    {
        BosToken = config.BosToken ?? defaults.BosToken,
        EosToken = config.EosToken ?? defaults.EosToken,
        UnknownToken = config.UnknownToken ?? defaults.UnknownToken,
        PadToken = config.PadToken ?? defaults.PadToken,
    };
}
