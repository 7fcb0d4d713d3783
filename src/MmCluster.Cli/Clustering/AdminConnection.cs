using System.CommandLine;
using MmCluster.Cli.Hosting;
using MmCluster.Client;
using MmCluster.Models;

namespace MmCluster.Cli.Clustering;

/// <summary>A gateway's admin service, as the commands that steer a cluster reach it.</summary>
internal sealed class AdminConnection
{
    private readonly Option<string?> _url = new("--url") { Description = "A gateway's address (MM_GATEWAY); default: http://127.0.0.1:8000." };
    private readonly Option<string?> _apiKey = new("--api-key") { Description = "An admin key (MM_API_KEY)." };

    public void AddTo(Command command)
    {
        command.Add(_url);
        command.Add(_apiKey);
    }

    /// <summary>Runs <paramref name="act"/> with a client; its refusals become ours.</summary>
    public async Task<T> CallAsync<T>(ParseResult parsed, CommandContext context, Func<MmClient, Task<T>> act)
    {
        string address = parsed.GetValue(_url) ?? context.Environment("MM_GATEWAY") ?? "http://127.0.0.1:8000";
        Uri url = Uri.TryCreate(address, UriKind.Absolute, out Uri? parsedUrl) && parsedUrl.Scheme is "http" or "https"
            ? parsedUrl
            : throw new MmException(MmErrorCode.InvalidArgument, $"--url wants an address such as http://127.0.0.1:8000, not '{address}'") { Param = "url" };
        using var client = new MmClient(url, new MmClientOptions { ApiKey = parsed.GetValue(_apiKey) ?? context.Environment("MM_API_KEY") });
        try
        {
            return await act(client);
        }
        catch (MmClientException error)
        {
            throw new MmException(
                Enum.TryParse(error.Code, out MmErrorCode code) ? code : MmErrorCode.Unavailable,
                error.Code switch
                {
                    "Unimplemented" => $"{url} serves no cluster: this needs `mm gateway` or `mm serve --config`",
                    nameof(MmErrorCode.Unavailable) => $"{url}: {error.Message}",
                    nameof(MmErrorCode.Unauthenticated) => $"{url} wants a valid admin key: --api-key KEY, or MM_API_KEY",
                    _ => error.Message,
                },
                error)
            {
                Param = error.Param,
            };
        }
    }
}
