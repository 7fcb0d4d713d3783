using System.Net.Sockets;
using System.Text;

namespace MmCluster.Gateway.Tests.Hostile;

/// <summary>A client that may break every rule of HTTP.</summary>
internal sealed class RawClient : IDisposable
{
    private readonly TcpClient _client = new();

    public static async Task<RawClient> ConnectAsync(TestGateway gateway)
    {
        var raw = new RawClient();
        await raw._client.ConnectAsync(gateway.Http.BaseAddress!.Host, gateway.Http.BaseAddress.Port, TestContext.Current.CancellationToken);
        return raw;
    }

    /// <summary>Sends; false when the other side has closed.</summary>
    public async Task<bool> SendAsync(string text)
    {
        try
        {
            await _client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(text), TestContext.Current.CancellationToken);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>All that comes until the other side closes.</summary>
    public async Task<string> ReadToEndAsync()
    {
        var text = new StringBuilder();
        byte[] buffer = new byte[4096];
        try
        {
            int read;
            while ((read = await ReadAsync(buffer)) > 0)
            {
                text.Append(Encoding.ASCII.GetString(buffer, 0, read));
            }
        }
        catch (IOException)
        {
            // A reset closes too.
        }
        return text.ToString();
    }

    // A gateway that never closes is what these tests are to find: it must fail them, not hang them.
    private Task<int> ReadAsync(byte[] buffer) => _client.GetStream().ReadAsync(buffer, TestContext.Current.CancellationToken).AsTask()
        .WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);

    public void Dispose() => _client.Dispose();
}
