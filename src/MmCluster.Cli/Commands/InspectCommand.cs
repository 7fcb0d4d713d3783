using System.CommandLine;
using System.Globalization;
using MmCluster.Cli.Hosting;
using MmCluster.Models.Checkpoints;

namespace MmCluster.Cli.Commands;

/// <summary><c>mm inspect</c>: lists a checkpoint's tensors without loading them.</summary>
internal sealed class InspectCommand : Command
{
    private readonly Argument<string> _checkpoint = new("CHECKPOINT")
    {
        Description = "A model folder, or a .safetensors, .bin, .pt or .pth file.",
    };

    public InspectCommand(CommandContext context)
        : base("inspect", "List a checkpoint's keys, shapes, types and sizes.")
    {
        Add(_checkpoint);
        SetAction((parsed, cancellationToken) => RunAsync(parsed, context, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken)
    {
        using var checkpoint = Checkpoint.Open(parsed.GetRequiredValue(_checkpoint));
        StoredTensor[] tensors = [.. checkpoint.Tensors.Values.OrderBy(tensor => tensor.Key, StringComparer.Ordinal)];
        if (parsed.GetValue(GlobalOptions.Json))
        {
            await context.Out.WriteLineAsync(JsonLine.Of(Describe(checkpoint, tensors)));
            return ExitCodes.Done;
        }
        int keyWidth = tensors.Select(tensor => tensor.Key.Length).DefaultIfEmpty().Max();
        foreach (StoredTensor tensor in tensors)
        {
            cancellationToken.ThrowIfCancellationRequested();
            string shape = $"[{string.Join(", ", tensor.Shape)}]";
            await context.Out.WriteLineAsync($"{tensor.Key.PadRight(keyWidth)}  {tensor.Type,-5} {shape,-24} {ByteSize.Text(tensor.Bytes),12}");
        }
        await context.Out.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"{tensors.Length} tensors, {tensors.Sum(tensor => tensor.ElementCount):N0} values, {ByteSize.Text(tensors.Sum(tensor => tensor.Bytes))} in {checkpoint.Files.Count} file(s)"));
        return ExitCodes.Done;
    }

    private static object Describe(Checkpoint checkpoint, StoredTensor[] tensors) => new
    {
        schema = 1,
        path = checkpoint.Path,
        files = checkpoint.Files,
        parameters = tensors.Sum(tensor => tensor.ElementCount),
        bytes = tensors.Sum(tensor => tensor.Bytes),
        tensors = tensors.Select(tensor => new { key = tensor.Key, dtype = tensor.Type.ToString(), shape = tensor.Shape, bytes = tensor.Bytes }),
    };
}
