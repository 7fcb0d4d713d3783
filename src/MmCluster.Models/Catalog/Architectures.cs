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
    };

    // Language models inside others are named by model_type.
    private static readonly Dictionary<string, string> TextNetworks = new()
    {
        ["llama"] = "llama",
        ["mistral"] = "llama",
        ["qwen2"] = "llama",
        ["opt"] = "opt",
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
        string textType = text.TextOr("llama", "model_type");
        if (!TextNetworks.TryGetValue(textType, out string? network))
        {
            throw new NotSupportedException($"{text.Place}: model_type '{textType}' is not known; known: {string.Join(", ", TextNetworks.Keys)}");
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
            Backbone(network, KeyLayouts.Llava) with { ConfigSection = "text_config", Prefix = "language_model.", From = ["multi_modal_projector"] },
        ];
    }

    private static ComponentCard Backbone(string network, KeyMap keys) =>
        new() { Name = "language_model", Kind = ComponentKind.Backbone, Network = network, Keys = keys };

    private static ComponentCard ClipVision(string section, KeyMap keys) =>
        new() { Name = "vision_model", Kind = ComponentKind.Encoder, Network = "clip_vision", Modality = Modality.Image, ConfigSection = section, Keys = keys };

    // What the LLaVA processors' examples write where a folder has no chat template; plain text otherwise.
    private static PromptCard PromptFor(IReadOnlyList<ComponentCard> components) => components.Any(component => component.Placeholder is not null)
        ? new PromptCard { User = "USER: {content} ", Assistant = "ASSISTANT: {content}</s>", Generate = "ASSISTANT:" }
        : new PromptCard();
}
