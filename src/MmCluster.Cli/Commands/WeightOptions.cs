using System.CommandLine;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Cli.Commands;

/// <summary>The options that say where and in which format weights are, the same on every command that loads some.</summary>
/// <param name="dtype">The default of <c>--dtype</c>.</param>
internal sealed class WeightOptions(string dtype = "bf16")
{
    private readonly Option<string> _dtype = DTypeOption.Create(dtype);
    private readonly Option<string> _format = Format();
    private readonly Option<string> _device = DeviceOption.Create();

    /// <summary><c>--threads</c>.</summary>
    public Option<int> Threads { get; } = ThreadsOption.Create();

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> All => [_dtype, _format, Threads, _device];

    /// <summary>What was written for <c>--dtype</c>.</summary>
    public string DType(ParseResult parsed) => parsed.GetRequiredValue(_dtype);

    /// <summary>Sets the size of the compute pool.</summary>
    public void ApplyThreads(ParseResult parsed) => Device.Cpu.Threads = parsed.GetValue(Threads);

    /// <summary>Where and how weights are loaded; also sets the size of the compute pool.</summary>
    public LoadOptions Load(ParseResult parsed)
    {
        ApplyThreads(parsed);
        return new LoadOptions
        {
            Backbone = DTypeOption.Parse(DType(parsed)),
            Device = Device.Parse(parsed.GetRequiredValue(_device)),
            Format = parsed.GetValue(_format) == "dummy" ? LoadFormat.Dummy : LoadFormat.Auto,
        };
    }

    private static Option<string> Format()
    {
        var option = new Option<string>("--load-format")
        {
            Description = "auto reads the checkpoint; dummy makes weights up from config.json alone, for measuring speed.",
            DefaultValueFactory = _ => "auto",
        };
        option.AcceptOnlyFromAmong("auto", "dummy");
        return option;
    }
}
