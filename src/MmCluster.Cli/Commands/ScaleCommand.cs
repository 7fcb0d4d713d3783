using System.CommandLine;
using System.Globalization;
using MmCluster.Cli.Clustering;
using MmCluster.Cli.Hosting;
using MmCluster.Protos.V1;

namespace MmCluster.Cli.Commands;

/// <summary><c>mm scale</c>: how many replicas a component has.</summary>
internal sealed class ScaleCommand : Command
{
    private readonly AdminConnection _admin = new();
    private readonly Argument<string> _model = new("MODEL") { Description = "The model's name." };
    private readonly Argument<string> _component = new("COMPONENT") { Description = "backbone, or a component's name in the model's card." };
    private readonly Argument<int> _replicas = new("N")
    {
        Description = "Replicas wanted.",
        CustomParser = result =>
        {
            string word = result.Tokens[0].Value;
            if (!int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int replicas) || replicas == 0)
            {
                result.AddError($"N wants a whole number above 0, not '{word}'.");
            }
            return replicas;
        },
    };

    public ScaleCommand(CommandContext context)
        : base("scale", "Set how many replicas a model's component has.")
    {
        Add(_model);
        Add(_component);
        Add(_replicas);
        _admin.AddTo(this);
        SetAction((parsed, cancellationToken) => RunAsync(parsed, context, cancellationToken));
    }

    private Task<int> RunAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken) =>
        _admin.CallAsync(parsed, context, async client =>
        {
            string model = parsed.GetRequiredValue(_model);
            string component = parsed.GetRequiredValue(_component);
            ScaleResponse scaled = await client.ScaleAsync(model, component, parsed.GetValue(_replicas), cancellationToken);
            await context.Out.WriteLineAsync(parsed.GetValue(GlobalOptions.Json)
                ? JsonLine.Of(new { schema = 1, model, component, before = scaled.Before, after = scaled.After })
                : string.Create(CultureInfo.InvariantCulture, $"{model} {component}: {scaled.Before} -> {scaled.After}"));
            return ExitCodes.Done;
        });
}
