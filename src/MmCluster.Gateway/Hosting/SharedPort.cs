using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace MmCluster.Gateway.Hosting;

/// <summary>
/// HTTP/1.1 and HTTP/2 on one port in clear text. Without TLS Kestrel takes an endpoint for HTTP/1.1 even where both are enabled, as nothing
/// is negotiated. So the port has Kestrel's HTTP/1.1 pipeline, and a connection whose first bytes are HTTP/2's preface (RFC 9113, 3.4) is handed to the
/// pipeline of a second endpoint, which has no socket of its own. Looking takes nothing from the connection. A connection that says nothing goes on in
/// HTTP/1.1, whose limits then hold; one that has begun a preface and does not end it in time is cut off.
/// </summary>
internal sealed class SharedPort(TimeSpan patience, TimeProvider time)
{
    private ConnectionDelegate? _http2;

    private static ReadOnlySpan<byte> Preface => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8;

    /// <summary>Makes <paramref name="http1"/> the port's endpoint.</summary>
    public void Share(ListenOptions http1)
    {
        http1.Protocols = HttpProtocols.Http1;
        http1.Use(next => connection => RouteAsync(connection, next));
    }

    /// <summary>Makes <paramref name="http2"/>, whose endpoint is a <see cref="NoSocketEndPoint"/>, what HTTP/2 connections are handed to.</summary>
    public void Receive(ListenOptions http2)
    {
        http2.Protocols = HttpProtocols.Http2;
        http2.Use(next => _http2 = next);
    }

    private async Task RouteAsync(ConnectionContext connection, ConnectionDelegate http1)
    {
        switch (await LookAsync(connection.Transport.Input))
        {
            case true when _http2 is { } http2:
                await http2(connection);
                break;
            case null:
                connection.Abort(new ConnectionAbortedException("the HTTP/2 preface did not come in time"));
                break;
            default:
                await http1(connection);
                break;
        }
    }

    // Whether it begins with the preface; null: begun, but not ended in time.
    private async Task<bool?> LookAsync(PipeReader input)
    {
        using var late = new CancellationTokenSource(patience, time);
        using CancellationTokenRegistration wake = late.Token.Register(input.CancelPendingRead);
        while (true)
        {
            ReadResult read = await input.ReadAsync(CancellationToken.None);
            bool? isPreface = Judge(read.Buffer);
            if (isPreface is not null || read.IsCanceled || read.IsCompleted)
            {
                // Nothing is consumed or examined: the pipeline's first read gets all that is there.
                input.AdvanceTo(read.Buffer.Start);
                return isPreface ?? (read.Buffer.IsEmpty || read.IsCompleted ? false : null);
            }
            input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    /// <summary>Whether the bytes are the preface, or null when there are too few to say.</summary>
    private static bool? Judge(in ReadOnlySequence<byte> buffer)
    {
        int length = (int)Math.Min(buffer.Length, Preface.Length);
        Span<byte> head = stackalloc byte[length];
        buffer.Slice(0, length).CopyTo(head);
        return !Preface.StartsWith(head) ? false : length == Preface.Length ? true : null;
    }
}
