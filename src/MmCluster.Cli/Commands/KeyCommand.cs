using System.CommandLine;
using System.Security.Cryptography;
using MmCluster.Cli.Hosting;
using MmCluster.Cluster.Deployment;
using MmCluster.Models;

namespace MmCluster.Cli.Commands;

/// <summary><c>mm key</c>: makes API keys and what stands for them in a cluster.yaml.</summary>
internal sealed class KeyCommand : Command
{
    private const int Bytes = 32;

    public KeyCommand(CommandContext context)
        : base("key", "Make API keys for a cluster.yaml.")
    {
        var create = new Command("new", "Draw a key; print it and its hash. The key is kept nowhere.");
        create.SetAction((parsed, _) => WriteAsync(parsed, context, $"mm-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(Bytes))}", tell: true));
        Add(create);

        // Read from standard input, so that it stands in no history and no list of processes.
        var hash = new Command("hash", "Read a key from standard input and print its hash.");
        hash.SetAction(async (parsed, cancellationToken) =>
        {
            string key = (await context.In.ReadLineAsync(cancellationToken))?.Trim() ?? "";
            return key.Length > 0
                ? await WriteAsync(parsed, context, key, tell: false)
                : throw new MmException(MmErrorCode.InvalidArgument, "standard input has no key: echo KEY | mm key hash");
        });
        Add(hash);
    }

    private static async Task<int> WriteAsync(ParseResult parsed, CommandContext context, string key, bool tell)
    {
        string hash = KeyGrant.HashOf(key);
        await context.Out.WriteLineAsync(parsed.GetValue(GlobalOptions.Json) ? JsonLine.Of(new { schema = 1, key = tell ? key : null, hash })
            : tell ? $"key:  {key}\nhash: {hash}" : hash);
        return ExitCodes.Done;
    }
}
