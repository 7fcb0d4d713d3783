using System.CommandLine;
using MmCluster.Tensors;

namespace MmCluster.Cli.Commands;

/// <summary><c>--dtype</c>: the format that weights are packed to.</summary>
internal static class DTypeOption
{
    private static readonly Dictionary<string, DType> Formats = new()
    {
        ["f32"] = DType.F32,
        ["bf16"] = DType.BF16,
        ["f16"] = DType.F16,
        ["fp8"] = DType.F8E4M3,
        ["q8_0"] = DType.Q8_0,
        ["q4_0"] = DType.Q4_0,
    };

    public static Option<string> Create(string format = "bf16")
    {
        var option = new Option<string>("--dtype") { Description = "Format of the weights in memory.", DefaultValueFactory = _ => format };
        option.AcceptOnlyFromAmong([.. Formats.Keys]);
        return option;
    }

    public static DType Parse(string name) => Formats[name];
}
