using System.Buffers.Binary;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace MmCluster.Cluster.TensorLink.Wire;

/// <summary>
/// How a connection opens. Caller: magic, version, nonce. Listener: magic, version, nonce, its incarnation, its proof. Caller: its proof.
/// Listener: slab size (0 over TCP). A proof is HMAC-SHA256 under the cluster's secret over role, both nonces and the incarnation, so that neither side
/// tells the secret to a stranger and a recording opens nothing.
/// </summary>
internal static class Handshake
{
    public const ushort Version = 1;

    private const int NonceBytes = 16;
    private const int ProofBytes = 32;
    private const int HelloBytes = 4 + 2 + NonceBytes;
    private const int IncarnationBytes = 16;

    private static ReadOnlySpan<byte> Magic => "MMTL"u8;

    /// <summary>The caller's side; returns the listener's slab size.</summary>
    /// <exception cref="InvalidDataException">The peer is none of ours, has another secret, or is another incarnation.</exception>
    public static async Task<long> CallAsync(Socket socket, byte[] secret, Guid expected, CancellationToken cancellationToken)
    {
        byte[] hello = Hello();
        await socket.SendAllAsync(hello, cancellationToken);
        byte[] answer = new byte[HelloBytes + IncarnationBytes + ProofBytes];
        await socket.ReceiveAllAsync(answer, cancellationToken);
        CheckHello(answer);
        var incarnation = new Guid(answer.AsSpan(HelloBytes, IncarnationBytes));
        byte[] transcript = [.. hello, .. answer.AsSpan(0, HelloBytes + IncarnationBytes)];
        CheckProof(secret, "listener", transcript, answer.AsSpan(HelloBytes + IncarnationBytes));
        if (incarnation != expected)
        {
            throw new InvalidDataException("tensor link: the silo has been restarted since the tensor was offered");
        }
        await socket.SendAllAsync(Proof(secret, "caller", transcript), cancellationToken);
        byte[] slab = new byte[8];
        await socket.ReceiveAllAsync(slab, cancellationToken);
        return BinaryPrimitives.ReadInt64LittleEndian(slab);
    }

    /// <summary>The listener's side.</summary>
    /// <exception cref="InvalidDataException">The caller is none of ours or has another secret.</exception>
    public static async Task ListenAsync(Socket socket, byte[] secret, Guid incarnation, long slabBytes, CancellationToken cancellationToken)
    {
        byte[] theirs = new byte[HelloBytes];
        await socket.ReceiveAllAsync(theirs, cancellationToken);
        CheckHello(theirs);
        byte[] ours = [.. Hello(), .. incarnation.ToByteArray()];
        byte[] transcript = [.. theirs, .. ours];
        await socket.SendAllAsync((byte[])[.. ours, .. Proof(secret, "listener", transcript)], cancellationToken);
        byte[] proof = new byte[ProofBytes];
        await socket.ReceiveAllAsync(proof, cancellationToken);
        CheckProof(secret, "caller", transcript, proof);
        byte[] slab = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(slab, slabBytes);
        await socket.SendAllAsync(slab, cancellationToken);
    }

    private static byte[] Hello()
    {
        byte[] hello = new byte[HelloBytes];
        Magic.CopyTo(hello);
        BinaryPrimitives.WriteUInt16LittleEndian(hello.AsSpan(4), Version);
        RandomNumberGenerator.Fill(hello.AsSpan(6));
        return hello;
    }

    private static void CheckHello(ReadOnlySpan<byte> hello)
    {
        ushort version = BinaryPrimitives.ReadUInt16LittleEndian(hello[4..]);
        if (!hello[..4].SequenceEqual(Magic) || version != Version)
        {
            throw new InvalidDataException($"tensor link: the peer does not speak version {Version} of this protocol");
        }
    }

    private static byte[] Proof(byte[] secret, string role, byte[] transcript) =>
        HMACSHA256.HashData(secret, (byte[])[.. Encoding.ASCII.GetBytes(role), .. transcript]);

    private static void CheckProof(byte[] secret, string role, byte[] transcript, ReadOnlySpan<byte> proof)
    {
        if (!CryptographicOperations.FixedTimeEquals(Proof(secret, role, transcript), proof))
        {
            throw new InvalidDataException("tensor link: the peer has another cluster secret");
        }
    }
}
