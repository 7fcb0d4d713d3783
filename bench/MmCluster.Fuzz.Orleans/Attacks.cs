using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans;

namespace MmCluster.Fuzz.Orleans;

/// <summary>
/// Attacks a silo's two ports: noise, wrong greetings, oversized lengths, truncated and mutated frames, unknown types,
/// half-open connections and many idle ones. It fails where the silo stops answering or its memory grows without bound.
/// </summary>
internal static class Attacks
{
    private const long MaxGrowth = 600L << 20;
    internal const string Cluster = "fuzz";

    private static long _argumentsRead;

    public static async Task<int> RunAsync(TimeSpan duration)
    {
        int siloPort = FreePort();
        int gatewayPort = FreePort();
        Process silo = await FuzzSilo.SpawnAsync(siloPort, gatewayPort);
        using IHost host = await FuzzSilo.ConnectAsync(gatewayPort);
        IFuzzGrain grain = host.Services.GetRequiredService<IGrainFactory>().GetGrain<IFuzzGrain>(100);
        await grain.Measure("", default);
        long bare = MemoryOf(silo);
        List<Socket> idle = await OpenIdleAsync(gatewayPort, 10_000);
        await grain.Measure("", default);
        long start = MemoryOf(silo);
        Console.WriteLine($"{idle.Count} idle connections take {(start - bare) >> 20} MiB of the silo's memory");
        long end = Environment.TickCount64 + (long)duration.TotalMilliseconds;
        int seed = Environment.TickCount;
        long attacks = 0;
        await CheckFramesAsync(gatewayPort, new Random(seed));
        Console.WriteLine($"seed {seed}");
        long nextReport = Environment.TickCount64 + 10_000;
        while (Environment.TickCount64 < end)
        {
            int at = seed++;
            await Task.WhenAll(Enumerable.Range(0, 8).Select(i => AttackAsync(new Random(HashCode.Combine(at, i)), i % 2 == 0 ? siloPort : gatewayPort)));
            attacks += 8;
            string text = new('a', at & 0xFF);
            if (await grain.Measure(text, default).AsTask().WaitAsync(TimeSpan.FromSeconds(10)) != text.Length)
            {
                Console.WriteLine($"the silo gave a wrong answer after seed {at}");
                return 1;
            }
            long growth = MemoryOf(silo) - start;
            if (growth > MaxGrowth)
            {
                Console.WriteLine($"memory grew by {growth >> 20} MiB after seed {at}");
                return 1;
            }
            if (Environment.TickCount64 > nextReport)
            {
                nextReport += 10_000;
                Console.WriteLine($"{attacks} attacks, memory {growth >> 20:+0;-0} MiB");
            }
        }
        Console.WriteLine($"{Interlocked.Read(ref _argumentsRead)} calls with real method ids and damaged arguments were among them");
        Console.WriteLine($"{attacks} attacks survived; the silo's memory {(MemoryOf(silo) - start) >> 20:+0;-0} MiB");
        idle.ForEach(socket => socket.Dispose());
        await host.StopAsync();
        silo.StandardInput.Close();
        await silo.WaitForExitAsync();
        return 0;
    }

    private static long MemoryOf(Process process)
    {
        process.Refresh();
        return process.WorkingSet64;
    }

    private static async Task<List<Socket>> OpenIdleAsync(int port, int count)
    {
        List<Socket> sockets = [];
        try
        {
            while (sockets.Count < count)
            {
                Socket socket = await ConnectAsync(port);
                sockets.Add(socket);
                await socket.SendAsync(Hello(Guid.NewGuid(), ""));
            }
        }
        catch (SocketException error)
        {
            Console.WriteLine($"only {sockets.Count} connections: {error.Message}");
        }
        return sockets;
    }

    private static async Task<Socket> ConnectAsync(int port)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port));
        return socket;
    }

    private static async Task AttackAsync(Random random, int port)
    {
        try
        {
            using Socket socket = await ConnectAsync(port);
            if (random.Next(4) == 0)
            {
                await socket.SendAsync(Noise(random, random.Next(1, 5000)));
                return;
            }
            // A silo that nobody knows, or a client: both are let in, and then misbehave.
            await socket.SendAsync(Hello(Guid.NewGuid(), random.Next(2) == 0 ? "" : $"127.0.0.1:{random.Next(1, 65535)}@{random.Next(1, 1000)}"));
            int frames = random.Next(1, 30);
            for (int i = 0; i < frames; i++)
            {
                await socket.SendAsync(MakeFrame(random));
            }
            if (random.Next(2) == 0)
            {
                socket.LingerState = new LingerOption(true, 0); // a reset instead of an end
            }
        }
        catch (SocketException)
        {
            // The silo has closed the connection, as it should.
        }
    }

    private static byte[] MakeFrame(Random random)
    {
        switch (random.Next(10))
        {
            case 0: // an oversized or empty length
                byte[] length = new byte[4];
                BinaryPrimitives.WriteUInt32LittleEndian(length, random.Next(2) == 0 ? uint.MaxValue : 0);
                return length;
            case 1: // a frame that never ends
                byte[] half = Frame(3, Noise(random, random.Next(1, 100)));
                return half[..random.Next(1, half.Length)];
            case 2: // any type, any content
                return Frame((byte)random.Next(256), Noise(random, random.Next(0, 2000)));
            case 3 or 4: // a call with a few bytes changed anywhere
                byte[] request = Frames.Intact(random);
                for (int i = random.Next(4); i > 0; i--)
                {
                    request[random.Next(5, request.Length)] = (byte)random.Next(256);
                }
                return request;
            default: // a call whose arguments alone are damaged
                Interlocked.Increment(ref _argumentsRead);
                return Frames.Damaged(random);
        }
    }

    // The attacks are worth something only if the silo takes their undamaged twins for calls.
    private static async Task CheckFramesAsync(int port, Random random)
    {
        using Socket socket = await ConnectAsync(port);
        await socket.SendAsync(Hello(Guid.NewGuid(), ""));
        const int Calls = 20;
        for (int i = 0; i < Calls; i++)
        {
            await socket.SendAsync(Frames.Intact(random));
        }
        using CancellationTokenSource late = new(TimeSpan.FromSeconds(30));
        await using NetworkStream stream = new(socket);
        byte[] start = new byte[5];
        for (int answered = 0; answered < Calls;)
        {
            await stream.ReadExactlyAsync(start, late.Token);
            byte[] payload = new byte[BinaryPrimitives.ReadUInt32LittleEndian(start) - 1];
            await stream.ReadExactlyAsync(payload, late.Token);
            if (Frames.ReadAnswer(start[4], payload) is { } answer)
            {
                answered += answer.Succeeded ? 1 : throw new InvalidOperationException("an undamaged call was refused: the attacks would not reach argument reading");
            }
        }
    }

    private static byte[] Hello(Guid client, string silo)
    {
        using MemoryStream body = new();
        using BinaryWriter writer = new(body);
        writer.Write(Encoding.ASCII.GetBytes("MMGC"));
        writer.Write((byte)1);
        writer.Write(Cluster);
        writer.Write(silo);
        writer.Write(client.ToByteArray());
        writer.Write("");
        writer.Flush();
        return Frame(1, body.ToArray());
    }

    private static byte[] Frame(byte type, byte[] payload)
    {
        byte[] frame = new byte[payload.Length + 5];
        BinaryPrimitives.WriteUInt32LittleEndian(frame, (uint)payload.Length + 1);
        frame[4] = type;
        payload.CopyTo(frame, 5);
        return frame;
    }

    private static int FreePort()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private static byte[] Noise(Random random, int length)
    {
        byte[] bytes = new byte[length];
        random.NextBytes(bytes);
        return bytes;
    }
}
