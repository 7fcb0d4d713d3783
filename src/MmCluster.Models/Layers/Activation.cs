using MmCluster.Models.Checkpoints;

namespace MmCluster.Models;

/// <summary>Activation functions of configurations.</summary>
public enum Activation
{
    /// <summary>max(x, 0)</summary>
    Relu,

    /// <summary>x Φ(x), by the error function.</summary>
    Gelu,

    /// <summary>GELU by tanh (gelu_new, gelu_pytorch_tanh).</summary>
    GeluTanh,

    /// <summary>x σ(1.702 x)</summary>
    QuickGelu,

    /// <summary>x σ(x)</summary>
    Silu,

    /// <summary>tanh(x)</summary>
    Tanh,

    /// <summary>σ(x)</summary>
    Sigmoid,

    /// <summary>x</summary>
    Identity,
}

/// <summary>Names of activation functions.</summary>
internal static class Activations
{
    private static readonly Dictionary<string, Activation> ByName = new()
    {
        ["relu"] = Activation.Relu,
        ["gelu"] = Activation.Gelu,
        ["gelu_python"] = Activation.Gelu,
        ["gelu_new"] = Activation.GeluTanh,
        ["gelu_fast"] = Activation.GeluTanh,
        ["gelu_pytorch_tanh"] = Activation.GeluTanh,
        ["gelu_accurate"] = Activation.GeluTanh,
        ["quick_gelu"] = Activation.QuickGelu,
        ["silu"] = Activation.Silu,
        ["swish"] = Activation.Silu,
        ["tanh"] = Activation.Tanh,
        ["sigmoid"] = Activation.Sigmoid,
        ["linear"] = Activation.Identity,
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
