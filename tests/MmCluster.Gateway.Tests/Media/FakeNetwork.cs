using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using MmCluster.Gateway.Media;

namespace MmCluster.Gateway.Tests.Media;

/// <summary>
/// A network whose names answer as told, call by call, and whose every public address is a server in this process that answers by path.
/// Remembers what was looked up and connected to.
/// </summary>
internal sealed class FakeNetwork : IMediaNetwork, IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<string, Queue<IPAddress[]>> _names = new();
    private readonly Task _serving;

    public FakeNetwork()
    {
        _listener.Start();
        _serving = ServeAsync();
    }

    public ConcurrentQueue<string> LookedUp { get; } = new();

    public ConcurrentQueue<IPEndPoint> Connected { get; } = new();

    /// <summary>The request heads that the server got.</summary>
    public ConcurrentQueue<string> Heads { get; } = new();

    /// <summary>By path: writes the whole response.</summary>
    public Dictionary<string, Func<Stream, CancellationToken, Task>> Answers { get; } = [];

    /// <summary>Done when a request has reached the server.</summary>
    public TaskCompletionSource Asked { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>What each look-up of a name gives; the last answer repeats.</summary>
    public FakeNetwork Name(string host, params string[] answers)
    {
        _names[host] = new Queue<IPAddress[]>(answers.Select(answer => answer.Split(',').Select(IPAddress.Parse).ToArray()));
        return this;
    }

    public FakeNetwork Answer(string path, string response)
    {
        Answers[path] = (stream, stop) => stream.WriteAsync(Encoding.ASCII.GetBytes(response), stop).AsTask();
        return this;
    }

    public FakeNetwork Picture(string path) => Answer(path, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nPNG");

    public FakeNetwork Redirect(string path, string location) =>
        Answer(path, $"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");

    public Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken)
    {
        LookedUp.Enqueue(host);
        if (!_names.TryGetValue(host, out Queue<IPAddress[]>? answers))
        {
            throw new SocketException((int)SocketError.HostNotFound);
        }
        return Task.FromResult(answers.Count > 1 ? answers.Dequeue() : answers.Peek());
    }

    public async ValueTask<Stream> ConnectAsync(IPEndPoint address, CancellationToken cancellationToken)
    {
        Connected.Enqueue(address);
        var client = new TcpClient();
        await client.ConnectAsync((IPEndPoint)_listener.LocalEndpoint, cancellationToken);
        return client.GetStream();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _serving;
        _stop.Dispose();
    }

    private async Task ServeAsync()
    {
        var connections = new List<Task>();
        try
        {
            while (true)
            {
                connections.Add(AnswerAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
            }
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(connections);
        }
    }

    private async Task AnswerAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                NetworkStream stream = client.GetStream();
                var head = new StringBuilder();
                byte[] one = new byte[1];
                while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(one, _stop.Token) > 0)
                {
                    head.Append((char)one[0]);
                }
                Heads.Enqueue(head.ToString());
                Asked.TrySetResult();
                await Answers[head.ToString().Split(' ')[1]](stream, _stop.Token);
            }
            catch (Exception error) when (error is IOException or OperationCanceledException)
            {
                // The client went away, or the test is over.
            }
        }
    }
}
