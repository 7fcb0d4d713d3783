using System.Net.Sockets;

namespace MmCluster.Fuzz.Grpc;

/// <summary>Ways to misbehave towards a server. None may crash it or make its memory grow.</summary>
internal static class Attacks
{
    private static readonly TimeSpan Silence = TimeSpan.FromMilliseconds(50);

    public static readonly (string Name, Func<int, Random, Task> Run)[] All =
    [
        ("garbage instead of a preface", GarbageAsync),
        ("random frames", RandomFramesAsync),
        ("a frame longer than its limit", LongFrameAsync),
        ("a message of 4 GiB announced", HugeLengthAsync),
        ("a message of 4 MiB announced, ten times at once, none sent", ManyHalfMessagesAsync),
        ("a flag that is neither 0 nor 1", BadFlagAsync),
        ("a compressed message without an encoding, and bad gzip", BadGzipAsync),
        ("a message cut off by the stream's end", TruncatedAsync),
        ("a call cut off by the connection's end", HalfOpenAsync),
        ("bytes that are no protobuf", BadProtobufAsync),
        ("headers over the limit", HugeHeadersAsync),
        ("bad timeouts and binary headers", BadHeadersAsync),
        ("streams opened and reset", RapidResetAsync),
        ("a response that is not read", UnreadResponseAsync),
    ];

    private static async Task GarbageAsync(int port, Random random)
    {
        using RawHttp2 http = await RawHttp2.ConnectAsync(port, preface: false);
        await http.SendAsync(Bytes(random, random.Next(1, 4096)));
        await http.DrainAsync(Silence);
    }

    private static async Task RandomFramesAsync(int port, Random random)
    {
        using RawHttp2 http = await RawHttp2.ConnectAsync(port);
        for (int i = random.Next(1, 20); i > 0; i--)
        {
            byte[] payload = Bytes(random, random.Next(0, 300));
            await http.FrameAsync((byte)random.Next(0, 12), (byte)random.Next(256), random.Next(0, 9), payload, random.Next(4) == 0 ? random.Next(1 << 24) : null);
        }
        await http.DrainAsync(Silence);
    }

    private static async Task LongFrameAsync(int port, Random random)
    {
        using RawHttp2 http = await RawHttp2.ConnectAsync(port);
        await http.RequestAsync(1, "/mm.bench.Bench/Unary");
        await http.FrameAsync(RawHttp2.Data, 0, 1, Bytes(random, 1000), length: (1 << 24) - 1);
        await http.DrainAsync(Silence);
    }

    private static async Task HugeLengthAsync(int port, Random random)
    {
        using RawHttp2 http = await RawHttp2.ConnectAsync(port);
        await http.RequestAsync(1, Path(random));
        await http.FrameAsync(RawHttp2.Data, 0, 1, RawHttp2.Message(0, uint.MaxValue - (uint)random.Next(10), Bytes(random, 100)));
        await http.DrainAsync(Silence);
    }

    private static async Task ManyHalfMessagesAsync(int port, Random random)
    {
        using RawHttp2 http = await RawHttp2.ConnectAsync(port);
        for (int stream = 1; stream < 20; stream += 2)
        {
            await http.RequestAsync(stream, Path(random));
            await http.FrameAsync(RawHttp2.Data, 0, stream, RawHttp2.Message(0, 4 * 1024 * 1024, Bytes(random, 10)));
        }
        await http.DrainAsync(Silence);
    }

    private static async Task BadFlagAsync(int port, Random random)
    {
        using RawHttp2 http = await RawHttp2.ConnectAsync(port);
        await http.RequestAsync(1, Path(random));
        await http.FrameAsync(RawHttp2.Data, RawHttp2.EndStream, 1, RawHttp2.Message((byte)random.Next(2, 256), 3, Bytes(random, 3)));
        await http.DrainAsync(Silence);
    }

    private static async Task BadGzipAsync(int port, Random random)
    {
        using RawHttp2 http = await RawHttp2.ConnectAsync(port);
        string[] encodings = ["gzip", "identity", "snappy", ""];
        await http.RequestAsync(1, Path(random), more: ("grpc-encoding", encodings[random.Next(encodings.Length)]));
        await http.FrameAsync(RawHttp2.Data, RawHttp2.EndStream, 1, RawHttp2.Message(1, 40, [0x1f, 0x8b, 8, 0, .. Bytes(random, 36)]));
        await http.RequestAsync(3, Path(random));
        await http.FrameAsync(RawHttp2.Data, RawHttp2.EndStream, 3, RawHttp2.Message(1, 10, Bytes(random, 10)));
        await http.DrainAsync(Silence);
    }

    private static async Task TruncatedAsync(int port, Random random)
    {
        using RawHttp2 http = await RawHttp2.ConnectAsync(port);
        await http.RequestAsync(1, Path(random));
        byte[] message = RawHttp2.Message(0, 100, Bytes(random, 50));
        await http.FrameAsync(RawHttp2.Data, RawHttp2.EndStream, 1, message[..random.Next(1, message.Length)]);
        await http.DrainAsync(Silence);
    }

    private static async Task HalfOpenAsync(int port, Random random)
    {
        using RawHttp2 http = await RawHttp2.ConnectAsync(port);
        await http.RequestAsync(1, Path(random));
        await http.FrameAsync(RawHttp2.Data, 0, 1, RawHttp2.Message(0, 100, Bytes(random, random.Next(100))));
        if (random.Next(2) == 0)
        {
            http.Socket.Shutdown(SocketShutdown.Send);
            await http.DrainAsync(Silence);
        }
        else
        {
            http.Socket.LingerState = new LingerOption(true, 0); // a reset
        }
    }

    private static async Task BadProtobufAsync(int port, Random random)
    {
        using RawHttp2 http = await RawHttp2.ConnectAsync(port);
        byte[] payload = Bytes(random, random.Next(1, 200));
        await http.RequestAsync(1, Path(random));
        await http.FrameAsync(RawHttp2.Data, RawHttp2.EndStream, 1, RawHttp2.Message(0, (uint)payload.Length, payload));
        await http.DrainAsync(Silence);
    }

    private static async Task HugeHeadersAsync(int port, Random random)
    {
        using RawHttp2 http = await RawHttp2.ConnectAsync(port);
        await http.RequestAsync(1, Path(random), more: ("x-large", new string('a', random.Next(10_000, 15_000))));
        await http.RequestAsync(3, Path(random), more: [.. Enumerable.Range(0, 300).Select(i => ($"x-{i}", new string('b', 40)))]);
        await http.DrainAsync(Silence);
    }

    private static async Task BadHeadersAsync(int port, Random random)
    {
        using RawHttp2 http = await RawHttp2.ConnectAsync(port);
        string[] timeouts = ["", "S", "-1S", "999999999S", "99999999H", "1x", "0n", "1n", "٣S"];
        await http.RequestAsync(
            1, "/mm.bench.Bench/Unary", end: false, ("grpc-timeout", timeouts[random.Next(timeouts.Length)]), ("x-bin", "%%%"), ("grpc-encoding", "gzip,gzip"));
        await http.FrameAsync(RawHttp2.Data, RawHttp2.EndStream, 1, RawHttp2.Message(0, 0, []));
        await http.RequestAsync(3, "/" + new string((char)random.Next(33, 127), random.Next(1, 2000)), end: true);
        await http.DrainAsync(Silence);
    }

    private static async Task RapidResetAsync(int port, Random random)
    {
        using RawHttp2 http = await RawHttp2.ConnectAsync(port);
        for (int stream = 1; stream < 400; stream += 2)
        {
            await http.RequestAsync(stream, Path(random));
            await http.FrameAsync(RawHttp2.ResetStream, 0, stream, [0, 0, 0, 8]);
        }
        await http.DrainAsync(Silence);
    }

    private static async Task UnreadResponseAsync(int port, Random random)
    {
        using RawHttp2 http = await RawHttp2.ConnectAsync(port);
        // Wanted { count = 2,000,000; size = 100 }: more than any window takes.
        await http.RequestAsync(1, "/mm.bench.Bench/Down");
        await http.FrameAsync(RawHttp2.Data, RawHttp2.EndStream, 1, RawHttp2.Message(0, 6, [0x08, 0x80, 0x89, 0x7a, 0x10, (byte)random.Next(1, 100)]));
        await http.DrainAsync(Silence);
    }

    private static string Path(Random random) => "/mm.bench.Bench/" + new[] { "Unary", "Down", "Both" }[random.Next(3)];

    private static byte[] Bytes(Random random, int count)
    {
        byte[] bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }
}
