using Grpc.Core;
using MmCluster.Embedded.Grpc.Tests.Hosting;
using MmCluster.Testing;

namespace MmCluster.Embedded.Grpc.Tests;

public sealed class MetadataTests
{
    [Fact]
    public async Task Headers_and_trailers_come_back_with_repeated_and_binary_keys()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        byte[] bytes = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        var headers = new Metadata
        {
            { "X-Head-Text", "a, b" }, { "x-head-bin", bytes }, { "x-trail", "1" }, { "x-trail", "2" }, { "x-trail-bin", bytes },
        };
        using AsyncUnaryCall<Message> call = host.Client.UnaryAsync(new Message(), headers);

        Metadata got = await call.ResponseHeadersAsync;
        await call;

        Assert.Equal("a, b", got.GetValue("x-head-text"));
        Assert.Equal(bytes, got.GetValueBytes("x-head-bin"));
        // HTTP lets a sender join repeated keys with commas, and HttpClient does.
        Assert.Equal("1,2", string.Join(",", call.GetTrailers().GetAll("x-trail").Select(entry => entry.Value)).Replace(" ", ""));
        Assert.Equal(bytes, call.GetTrailers().GetValueBytes("x-trail-bin"));
        Assert.DoesNotContain(call.GetTrailers(), entry => entry.Key.StartsWith("grpc-", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Response_headers_come_before_the_first_message()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        using AsyncServerStreamingCall<Message> call =
            host.Client.ServerStream(new Message { Ask = Ask.Wait }, new Metadata { { "x-head", "early" } });
        Assert.Equal("early", (await call.ResponseHeadersAsync).GetValue("x-head"));
        Assert.Throws<InvalidOperationException>(() => call.GetStatus());
    }

    [Fact]
    public async Task The_context_tells_method_host_and_peer()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        await host.Client.UnaryAsync(new Message());
        Assert.Equal("/mm.test.Echo/Unary", host.Events.Last!.Method);
        Assert.Equal(host.Address.Authority, host.Events.Last.Host);
        Assert.StartsWith("ipv4:127.0.0.1:", host.Events.Last.Peer, StringComparison.Ordinal);
        Assert.Equal(DateTime.MaxValue, host.Events.Last.Deadline);
    }

    [Fact]
    public void Keys_are_checked_and_kept_in_lower_case()
    {
        Assert.Equal("a.b_c-1", new Metadata.Entry("A.b_C-1", "v").Key);
        Assert.Throws<ArgumentException>(() => new Metadata.Entry("sp ace", "v"));
        Assert.Throws<ArgumentException>(() => new Metadata.Entry("x-bin", "text"));
        Assert.Throws<ArgumentException>(() => new Metadata.Entry("x", new byte[1]));
    }

    [Fact]
    public void Metadata_behaves_as_a_list_and_Empty_cannot_change()
    {
        var metadata = new Metadata { { "a", "1" }, { "b", "2" }, { "a", "3" } };
        Assert.Equal("3", metadata.Get("A")!.Value);
        Assert.Equal(2, metadata.GetAll("a").Count());
        Assert.True(metadata.Remove(metadata[1]));
        metadata.Insert(0, new Metadata.Entry("z", "0"));
        Assert.Equal(["z", "a", "a"], metadata.Select(entry => entry.Key));
        Assert.Null(metadata.GetValue("b"));
        Assert.Throws<InvalidOperationException>(() => Metadata.Empty.Add("a", "b"));
        Assert.Throws<InvalidOperationException>(() => new Metadata.Entry("x-bin", new byte[1]).Value);
        Assert.Equal("1"u8.ToArray(), new Metadata.Entry("a", "1").ValueBytes);
    }
}
