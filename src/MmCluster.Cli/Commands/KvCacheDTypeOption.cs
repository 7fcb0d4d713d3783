using System.CommandLine;
using MmCluster.Tensors;

namespace MmCluster.Cli.Commands;

/// <summary><c>--kv-cache-dtype</c>: how keys and values are kept.</summary>
internal static class KvCacheDTypeOption
{
    private static readonly Dictionary<string, DType?> Formats = new()
    {
        ["auto"] = null,
        ["f32"] = DType.F32,
        ["float32"] = DType.F32,
        ["f16"] = DType.F16,
        ["bf16"] = DType.BF16,
        ["bfloat16"] = DType.BF16,
        ["q8_0"] = DType.Q8_0,
    };

    public static Option<string> Create()
    {
        var option = new Option<string>("--kv-cache-dtype")
        {
            Description = "Format of keys and values: bfloat16 halves the KV cache, q8_0 (8 bits and a scale a position and head) takes about a quarter; auto is float32, and on a GPU the activations' type.",
            DefaultValueFactory = _ => "auto",
        };
        option.AcceptOnlyFromAmong([.. Formats.Keys]);
        return option;
    }

    public static DType? Parse(string name) => Formats[name];
}
