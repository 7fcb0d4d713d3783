using System.Text.Json;
using System.Text.Json.Nodes;
using MmCluster.Models.Cards;
using MmCluster.Models.Checkpoints;

namespace MmCluster.Models.Catalog;

/// <summary>
/// What a Hugging Face folder's <c>architectures</c> means: a card made from its config.json. Adding a model is a line here, beside its networks.
/// </summary>
public static class Architectures
{
    private static readonly Dictionary<string, Func<ModelConfig, IReadOnlyList<ComponentCard>>> ByName = new()
    {
        ["LlamaForCausalLM"] = _ => [Backbone("llama", KeyLayouts.Llama)],
        ["MistralForCausalLM"] = _ => [Backbone("llama", KeyLayouts.Llama)],
        ["Qwen2ForCausalLM"] = _ => [Backbone("llama", KeyLayouts.Llama)],
        ["OPTForCausalLM"] = _ => [Backbone("opt", KeyLayouts.Opt)],
        ["T5ForConditionalGeneration"] = _ => [Backbone("t5", KeyLayouts.T5)],
        ["CLIPVisionModel"] = _ => [ClipVision("", KeyLayouts.ClipVision)],
        ["CLIPModel"] = _ => [ClipVision("vision_config", KeyLayouts.ClipVision)],
        ["LlavaForConditionalGeneration"] = Llava,
        ["Blip2ForConditionalGeneration"] = Blip2,
        ["InstructBlipForConditionalGeneration"] = Blip2,
        ["InstructBlipVideoForConditionalGeneration"] = Blip2,
    };

    // Language models inside others are named by model_type.
    private static readonly Dictionary<string, string> TextNetworks = new()
    {
        ["llama"] = "llama",
        ["mistral"] = "llama",
        ["qwen2"] = "llama",
        ["opt"] = "opt",
        ["t5"] = "t5",
    };

    /// <summary>Class names that are known.</summary>
    public static IReadOnlyCollection<string> Known => ByName.Keys;

    /// <summary>Makes a card from a folder's configuration.</summary>
    /// <param name="config">Its config.json.</param>
    /// <param name="name">The card's name.</param>
    /// <param name="architecture">The class, where config.json does not say it.</param>
    /// <exception cref="NotSupportedException">An unknown class; the message lists the known ones.</exception>
    public static ModelCard CardFor(ModelConfig config, string name, string? architecture = null)
    {
        string className = architecture ?? (config.Texts("architectures") is [var first, ..] ? first : null)
            ?? throw config.Bad("architectures", "is missing, so that the network is not known; write a card");
        return ByName.TryGetValue(className, out Func<ModelConfig, IReadOnlyList<ComponentCard>>? components)
            ? new ModelCard { Name = name, Components = components(config), File = config.Place, Prompt = PromptFor(components(config)) }
            : throw new NotSupportedException(
                $"{config.Place}: architecture '{className}' is not known; known: {string.Join(", ", ByName.Keys.Order(StringComparer.Ordinal))}");
    }

    private static IReadOnlyList<ComponentCard> Llava(ModelConfig config)
    {
        ModelConfig text = config.Section("text_config");
        ModelConfig vision = config.Section("vision_config");
        string visionType = vision.TextOr("clip_vision_model", "model_type");
        if (visionType != "clip_vision_model")
        {
            throw new NotSupportedException($"{vision.Place}: model_type '{visionType}' is not known; known: clip_vision_model");
        }
        IReadOnlyList<int> layers = config.Wholes("vision_feature_layer");
        JsonObject features = new()
        {
            ["feature_layer"] = new JsonArray([.. (layers.Count == 0 ? [-2] : layers).Select(layer => JsonValue.Create(layer))]),
            ["feature_select"] = config.TextOr("default", "vision_feature_select_strategy"),
        };
        return
        [
            ClipVision("vision_config", KeyLayouts.Llava) with
            {
                Name = "vision_tower",
                Prefix = "vision_tower.",
                Config = JsonSerializer.SerializeToElement(features),
                Placeholder = "<image>",
            },
            new ComponentCard
            {
                Name = "multi_modal_projector",
                Kind = ComponentKind.Projector,
                Network = "mlp_projector",
                From = ["vision_tower"],
                Prefix = "multi_modal_projector.",
                Keys = KeyLayouts.Llava,
            },
            Backbone(TextNetwork(text, "llama"), KeyLayouts.Llava) with { Config = Tied(config, text), ConfigSection = "text_config", Prefix = "language_model.", From = ["multi_modal_projector"] },
        ];
    }

    // The tower, the Q-Former and its projection; the language model is an OPT or a T5.
    private static IReadOnlyList<ComponentCard> Blip2(ModelConfig config)
    {
        ModelConfig text = config.Section("text_config");
        return
        [
            new ComponentCard
            {
                Name = "vision_model", Kind = ComponentKind.Encoder, Network = "blip_vision", Modality = Modality.Image,
                ConfigSection = "vision_config", Prefix = "vision_model.", Keys = KeyLayouts.Blip2, Placeholder = "<image>",
            },
            new ComponentCard { Name = "qformer", Kind = ComponentKind.Projector, Network = "qformer", From = ["vision_model"], Keys = KeyLayouts.Blip2 },
            new ComponentCard
            {
                Name = "language_projection", Kind = ComponentKind.Projector, Network = "linear_projector", From = ["qformer"],
                Prefix = "language_projection.", Keys = KeyLayouts.Blip2,
            },
            Backbone(TextNetwork(text, "opt"), KeyLayouts.Blip2) with
            {
                Config = Tied(config, text), ConfigSection = "text_config", Prefix = "language_model.", From = ["language_projection"],
            },
        ];
    }

    private static string TextNetwork(ModelConfig text, string otherwise)
    {
        string type = text.TextOr(otherwise, "model_type");
        return TextNetworks.TryGetValue(type, out string? network) ? network
            : throw new NotSupportedException($"{text.Place}: model_type '{type}' is not known; known: {string.Join(", ", TextNetworks.Keys)}");
    }

    // Either configuration may tie the embeddings; false of the outer one counts where the text's own does not say it.
    private static JsonElement? Tied(ModelConfig config, ModelConfig text) =>
        config.Has("tie_word_embeddings") && (config.BoolOr(false, "tie_word_embeddings") || !text.Has("tie_word_embeddings"))
            ? JsonSerializer.SerializeToElement(new Dictionary<string, bool> { ["tie_word_embeddings"] = config.BoolOr(false, "tie_word_embeddings") })
            : null;

    private static ComponentCard Backbone(string network, KeyMap keys) =>
        new() { Name = "language_model", Kind = ComponentKind.Backbone, Network = network, Keys = keys };

    private static ComponentCard ClipVision(string section, KeyMap keys) =>
        new() { Name = "vision_model", Kind = ComponentKind.Encoder, Network = "clip_vision", Modality = Modality.Image, ConfigSection = section, Keys = keys };

    // What the LLaVA processors' examples write where a folder has no chat template; plain text otherwise.
    private static PromptCard PromptFor(IReadOnlyList<ComponentCard> components) => components.Any(component => component.Placeholder is not null)
        ? new PromptCard { User = "USER: {content} ", Assistant = "ASSISTANT: {content}</s>", Generate = "ASSISTANT:" }
        : new PromptCard();
}
