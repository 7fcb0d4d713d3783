using System.CommandLine;
using System.Globalization;
using MmCluster.Cli.Hosting;
using MmCluster.Models;
using MmCluster.Models.Verification;
using MmCluster.Tensors;

namespace MmCluster.Cli.Commands;

/// <summary><c>mm verify</c>: compares networks and tokenizers with reference outputs.</summary>
internal sealed class VerifyCommand : Command
{
    private readonly Argument<string> _folder = new("DIR") { Description = "One golden case, or a folder of them." };
    private readonly Option<string> _device = DeviceOption.Create();
    private readonly Option<string> _dtype = new("--dtype") { Description = "Format of the weights.", DefaultValueFactory = _ => "f32" };

    public VerifyCommand(CommandContext context)
        : base("verify", "Compare networks and tokenizers with reference outputs.")
    {
        _dtype.AcceptOnlyFromAmong("f32", "bf16");
        Add(_folder);
        Add(_device);
        Add(_dtype);
        SetAction((parsed, cancellationToken) => RunAsync(parsed, context, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken)
    {
        string folder = parsed.GetRequiredValue(_folder);
        var options = new VerifyOptions
        {
            Matrices = parsed.GetRequiredValue(_dtype) == "bf16" ? DType.BF16 : DType.F32,
            Device = Device.Parse(parsed.GetRequiredValue(_device)),
        };
        List<CaseResult> results = [];
        foreach (CaseResult result in GoldenVerifier.Verify(folder, options))
        {
            cancellationToken.ThrowIfCancellationRequested();
            results.Add(result);
            await context.Out.WriteLineAsync($"{result.Name,-28} {Verdict(result),-12} {Error(result)}".TrimEnd());
            if (result.Reason.Length > 0)
            {
                await context.Error.WriteLineAsync($"{result.Name}: {result.Reason}");
            }
        }
        if (results.Count == 0)
        {
            throw new MmException(
                MmErrorCode.NotFound, $"{folder}: no case in it; a case is a folder with io.safetensors, or vectors.json for a tokenizer");
        }
        if (parsed.GetValue(GlobalOptions.Json))
        {
            await context.Out.WriteLineAsync(JsonLine.Of(new
            {
                schema = 1,
                cases = results.Select(result => new { name = result.Name, status = Verdict(result), error = result.WorstError is { } error && double.IsFinite(error) ? error : (double?)null, reason = result.Reason }),
            }));
        }
        return results.Any(result => result.Status == CaseStatus.Fail) ? ExitCodes.No : ExitCodes.Done;
    }

    private static string Verdict(CaseResult result) => result.Status switch
    {
        CaseStatus.Ok => "ok",
        CaseStatus.Fail => "FAIL",
        _ => "unsupported",
    };

    private static string Error(CaseResult result) => result.WorstError?.ToString("0.0e+00", CultureInfo.InvariantCulture) ?? "";
}
