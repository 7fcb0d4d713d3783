using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using MmCluster.Engine.Hosting;
using MmCluster.Engine.Simulation;
using MmCluster.Gateway.Hosting;
using MmCluster.Gateway.Uploads;
using MmCluster.Models;
using MmCluster.Protos.V1;

namespace MmCluster.Gateway.Tests.Grpc;

public sealed class UploadTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_upload_stands_for_its_bytes_until_it_expires()
    {
        var model = new EchoModel();
        var time = new VirtualTime();
        await using TestGateway gateway = await TestGateway.StartAsync(model, time: time);
        byte[] picture = GenerateTests.Picture;
        UploadResponse upload = await UploadAsync(gateway, picture[..5], [], picture[5..]);
        Assert.Equal((picture.Length, time.GetUtcNow().AddMinutes(10)), (upload.Bytes, upload.Expires.ToDateTimeOffset()));
        Assert.Equal(SHA256.HashData(picture), upload.Sha256.ToByteArray());

        await gateway.GenerateAsync(Ask(upload.UploadId));
        var chat = (ModelInput.Chat)Assert.Single(model.Seen).Input;
        Assert.Equal(picture, Assert.IsType<ChatPart.Media>(chat.Turns[0].Parts[0]).Item.Bytes.ToArray());

        time.Advance(TimeSpan.FromMinutes(10));
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => gateway.GenerateAsync(Ask(upload.UploadId)));
        Assert.Equal(StatusCode.NotFound, error.StatusCode);
    }

    [Fact]
    public async Task An_upload_over_the_limit_of_one_or_of_all_is_refused()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel(), new GatewayOptions { MaxRequestBytes = 1000, MaxUploadBytes = 1500 });
        byte[] part = new byte[500];
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => UploadAsync(gateway, part, part, [1]));
        Assert.Equal((StatusCode.InvalidArgument, "data"), (error.StatusCode, error.Trailers.GetValue("mm-param")));
        await UploadAsync(gateway, part, part);
        error = await Assert.ThrowsAsync<RpcException>(() => UploadAsync(gateway, part, [1]));
        Assert.Equal(StatusCode.ResourceExhausted, error.StatusCode);
        Assert.InRange(int.Parse(error.Trailers.GetValue("mm-retry-after-ms")!, System.Globalization.CultureInfo.InvariantCulture), 1, 600_000);
        await UploadAsync(gateway, part); // what failed holds nothing
    }

    [Fact]
    public async Task An_empty_upload_is_refused()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => UploadAsync(gateway));
        Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
    }

    [Fact]
    public async Task An_upload_that_stalls_is_given_up_and_gives_its_bytes_back()
    {
        var time = new VirtualTime();
        var store = new UploadStore(100, TimeSpan.FromSeconds(30), time);
        var chunks = new StalledStream(new UploadChunk { Data = ByteString.CopyFrom(new byte[60]) });
        Task<Upload> upload = new UploadReceiver(store, 100, time).ReceiveAsync(chunks, "t", Stop);
        await chunks.Stalled.Task.WaitAsync(Stop);
        Assert.Equal(60, store.UsedBytes);
        Assert.Throws<MmException>(() => store.Reserve(41));
        time.Advance(TimeSpan.FromSeconds(30));
        MmException error = await Assert.ThrowsAsync<MmException>(() => upload);
        Assert.Equal(MmErrorCode.DeadlineExceeded, error.Code);
        Assert.Equal(0, store.UsedBytes);
    }

    [Fact]
    public void Expired_uploads_make_room()
    {
        var time = new VirtualTime();
        var store = new UploadStore(100, TimeSpan.FromSeconds(30), time);
        store.Reserve(80);
        Upload first = store.Keep(new byte[80], "t");
        time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(TimeSpan.FromSeconds(20), Assert.Throws<MmException>(() => store.Reserve(21)).RetryAfter);
        Assert.NotNull(store.Find(first.Id, "t"));
        Assert.Null(store.Find(first.Id, "other"));
        time.Advance(TimeSpan.FromSeconds(20));
        store.Reserve(100);
        Assert.Null(store.Find(first.Id, "t"));
        Assert.Equal(100, store.UsedBytes);
    }

    private static GenerateRequest Ask(string upload) => new()
    {
        Chat = new Chat { Messages = { new ChatMessage { Role = "user", Parts = { new ContentPart { Media = new MediaSource { UploadId = upload } } } } } },
    };

    private static async Task<UploadResponse> UploadAsync(TestGateway gateway, params byte[][] parts)
    {
        using AsyncClientStreamingCall<UploadChunk, UploadResponse> call = gateway.Generation.Upload(cancellationToken: Stop);
        try
        {
            foreach (byte[] part in parts)
            {
                await call.RequestStream.WriteAsync(new UploadChunk { Data = ByteString.CopyFrom(part) }, Stop);
            }
            await call.RequestStream.CompleteAsync();
        }
        catch (Exception error) when (error is RpcException or InvalidOperationException)
        {
            // A refusal may come before all is written; the response tells which.
        }
        return await call;
    }

    private sealed class StalledStream(UploadChunk first) : IAsyncStreamReader<UploadChunk>
    {
        private bool _read;

        public TaskCompletionSource Stalled { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public UploadChunk Current => first;

        public async Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            if (!_read)
            {
                return _read = true;
            }
            Stalled.TrySetResult();
            await Task.Delay(Timeout.Infinite, cancellationToken);
            return false;
        }
    }
}
