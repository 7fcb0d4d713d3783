using MmCluster.Models.Checkpoints;
using MmCluster.Tensors;

namespace MmCluster.Models.Layers;

/// <summary>Names of activation functions in configurations.</summary>
internal static class Activations
{
    private static readonly Dictionary<string, Activation> ByName = new()
    {
        ["relu"] = Activation.Relu,
        ["gelu"] = Activation.Gelu,
        ["gelu_python"] = Activation.Gelu,
        ["gelu_new"] = Activation.GeluTanh,
        ["gelu_fast"] = Activation.GeluTanh,
        ["gelu_accurate"] = Activation.GeluTanh,
        ["gelu_pytorch_tanh"] = Activation.GeluTanh,
        ["gelu_python_tanh"] = Activation.GeluTanh,
        ["quick_gelu"] = Activation.QuickGelu,
        ["silu"] = Activation.Silu,
        ["swish"] = Activation.Silu,
        ["tanh"] = Activation.Tanh,
        ["sigmoid"] = Activation.Sigmoid,
        ["linear"] = Activation.None,
    };

    /// <summary>The activation that a configuration names, or the class's default.</summary>
    /// <exception cref="NotSupportedException">An unknown name; the message lists the known ones.</exception>
    public static Activation Read(ModelConfig config, string otherwise, params ReadOnlySpan<string> names) =>
        Parse(config.TextOr(otherwise, names), $"{config.Place}: {names[0]}");

    /// <summary>The activation called <paramref name="name"/>.</summary>
    /// <exception cref="NotSupportedException">An unknown name; the message lists the known ones.</exception>
    public static Activation Parse(string name, string place) => ByName.TryGetValue(name, out Activation activation)
        ? activation
        : throw new NotSupportedException($"{place}: activation '{name}' is not known; known: {string.Join(", ", ByName.Keys.Order(StringComparer.Ordinal))}");
}
