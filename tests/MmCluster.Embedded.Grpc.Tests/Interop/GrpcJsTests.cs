using System.Diagnostics;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using MmCluster.Embedded.Grpc.Tests.Hosting;
using MmCluster.Testing;

namespace MmCluster.Embedded.Grpc.Tests.Interop;

/// <summary>The embedded client and server talk with @grpc/grpc-js, in clear text and over TLS.</summary>
public sealed class GrpcJsTests
{
    private const int Large = 64 * 1024 * 1024;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Its_client_is_served(bool tls)
    {
        await NodeInterop.RequireAsync();
        await using EchoHost host = await EchoHost.StartAsync(
            grpc =>
            {
                grpc.MaxReceiveMessageSize = null;
                grpc.ResponseCompressionAlgorithm = "gzip";
            },
            tls: tls);
        using var files = new CertificateFiles(host.Certificate);
        string[] arguments = ["client", $"{(tls ? "localhost" : "127.0.0.1")}:{host.Address.Port}", NodeInterop.Proto, .. files.Certificate];

        using Process client = NodeInterop.Start(arguments);
        var passed = new List<string>();
        var problems = new List<string>();
        while (await client.StandardOutput.ReadLineAsync() is { } line)
        {
            using JsonDocument check = JsonDocument.Parse(line);
            string name = check.RootElement.GetProperty("name").GetString()!;
            if (check.RootElement.GetProperty("problem").GetString() is { } problem)
            {
                problems.Add($"{name}: {problem}");
            }
            else
            {
                passed.Add(name);
            }
        }
        await client.WaitForExitAsync();

        Assert.Empty(problems);
        Assert.Equal(
            ["unary", "serverStream", "clientStream", "duplex", "metadataAndTrailers", "status", "unimplemented", "deadline", "cancel", "large", "tooLarge", "gzip"],
            passed);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Its_server_is_called(bool tls)
    {
        await NodeInterop.RequireAsync();
        using X509Certificate2? certificate = tls ? EchoHost.SelfSigned() : null;
        using var files = new CertificateFiles(certificate);
        using Process server = NodeInterop.Start(["server", NodeInterop.Proto, .. files.CertificateAndKey]);
        string port = (await server.StandardOutput.ReadLineAsync())!;
        var handler = new SocketsHttpHandler();
        handler.SslOptions.RemoteCertificateValidationCallback =
            (_, presented, _, _) => presented?.GetCertHashString() == certificate?.GetCertHashString();
        using GrpcChannel channel = GrpcChannel.ForAddress(
            $"{(tls ? "https" : "http")}://localhost:{port}",
            new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true, MaxReceiveMessageSize = null });
        var client = new Echo.EchoClient(channel);

        await CheckKindsAsync(client);
        await CheckEndsAsync(client, server);
        await CheckSizesAsync(client);

        server.StandardInput.Close();
        await server.WaitForExitAsync();
    }

    private static async Task CheckKindsAsync(Echo.EchoClient client)
    {
        var headers = new Metadata { { "x-head", "h" }, { "x-head-bin", [1, 255] }, { "x-trail", "t" }, { "x-trail-bin", [7] } };
        using AsyncUnaryCall<Message> unary = client.UnaryAsync(new Message { Text = "häl\nlo", Count = 3 }, headers);
        Assert.Equal("h", (await unary.ResponseHeadersAsync).GetValue("x-head"));
        Assert.Equal([1, 255], (await unary.ResponseHeadersAsync).GetValueBytes("x-head-bin"));
        Assert.Equal(new Message { Text = "häl\nlo", Count = 3 }, await unary);
        Assert.Equal("t", unary.GetTrailers().GetValue("x-trail"));
        Assert.Equal([7], unary.GetTrailers().GetValueBytes("x-trail-bin"));

        using AsyncServerStreamingCall<Message> down = client.ServerStream(new Message { Count = 1000 });
        for (int i = 0; i < 1000; i++)
        {
            Assert.True(await down.ResponseStream.MoveNext());
            Assert.Equal(i, down.ResponseStream.Current.Count);
        }
        Assert.False(await down.ResponseStream.MoveNext());

        using AsyncClientStreamingCall<Message, Message> up = client.ClientStream();
        for (int i = 0; i < 1000; i++)
        {
            await up.RequestStream.WriteAsync(new Message { Data = ByteString.CopyFrom(new byte[10]) });
        }
        await up.RequestStream.CompleteAsync();
        Assert.Equal(new Message { Count = 1000, Size = 10000 }, await up);

        using AsyncDuplexStreamingCall<Message, Message> both = client.Duplex();
        for (int i = 0; i < 100; i++)
        {
            await both.RequestStream.WriteAsync(new Message { Count = i });
            Assert.True(await both.ResponseStream.MoveNext());
            Assert.Equal(i, both.ResponseStream.Current.Count);
        }
        await both.RequestStream.CompleteAsync();
        Assert.False(await both.ResponseStream.MoveNext());
    }

    private static async Task CheckEndsAsync(Echo.EchoClient client, Process server)
    {
        RpcException failed = await Assert.ThrowsAsync<RpcException>(
            () => client.UnaryAsync(new Message { Ask = Ask.Fail, Code = 6, Text = "50% für\ndich" }).ResponseAsync);
        Assert.Equal((StatusCode.AlreadyExists, "50% für\ndich"), (failed.StatusCode, failed.Status.Detail));
        Assert.Equal("asked", failed.Trailers.GetValue("x-why"));
        Assert.Equal([8, 5], failed.Trailers.GetValueBytes("grpc-status-details-bin"));

        DateTime soon = TimeProvider.System.GetUtcNow().UtcDateTime.AddMilliseconds(200);
        RpcException late = await Assert.ThrowsAsync<RpcException>(
            () => client.UnaryAsync(new Message { Ask = Ask.Wait }, deadline: soon).ResponseAsync);
        Assert.Equal(StatusCode.DeadlineExceeded, late.StatusCode);
        Assert.Equal("cancelled", await server.StandardOutput.ReadLineAsync());

        using AsyncServerStreamingCall<Message> call = client.ServerStream(new Message { Count = 1, Ask = Ask.Wait });
        Assert.True(await call.ResponseStream.MoveNext());
        call.Dispose();
        Assert.Equal("cancelled", await server.StandardOutput.ReadLineAsync());
        Assert.Equal(StatusCode.Cancelled, call.GetStatus().StatusCode);
    }

    private static async Task CheckSizesAsync(Echo.EchoClient client)
    {
        byte[] data = new byte[Large];
        data[^1] = 9;
        Message large = await client.UnaryAsync(new Message { Data = UnsafeByteOperations.UnsafeWrap(data) });
        Assert.True(large.Data.Span.SequenceEqual(data));

        var text = new Message { Text = new string('a', 100_000) };
        var packed = new Metadata { { "grpc-internal-encoding-request", "gzip" } };
        Assert.Equal(text, await client.UnaryAsync(text, packed));
        using AsyncDuplexStreamingCall<Message, Message> both = client.Duplex(packed);
        foreach (Message message in new[] { text, new Message() })
        {
            await both.RequestStream.WriteAsync(message);
            Assert.True(await both.ResponseStream.MoveNext());
            Assert.Equal(message, both.ResponseStream.Current);
        }
    }

    /// <summary>A certificate as the files that node reads.</summary>
    private sealed class CertificateFiles : IDisposable
    {
        private readonly DirectoryInfo? _folder;

        public CertificateFiles(X509Certificate2? certificate)
        {
            if (certificate is null)
            {
                return;
            }
            _folder = Directory.CreateTempSubdirectory("mm-grpc-");
            Certificate = [Path.Combine(_folder.FullName, "cert.pem")];
            CertificateAndKey = [.. Certificate, Path.Combine(_folder.FullName, "key.pem")];
            File.WriteAllText(CertificateAndKey[0], certificate.ExportCertificatePem());
            File.WriteAllText(CertificateAndKey[1], certificate.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem());
        }

        public string[] Certificate { get; } = [];

        public string[] CertificateAndKey { get; } = [];

        public void Dispose() => _folder?.Delete(recursive: true);
    }
}
