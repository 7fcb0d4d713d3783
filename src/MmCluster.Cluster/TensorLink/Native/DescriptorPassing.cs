using System.Net.Sockets;

namespace MmCluster.Cluster.TensorLink.Native;

/// <summary>Passes a file descriptor over a unix socket (SCM_RIGHTS), which .NET's sockets do not offer.</summary>
internal static class DescriptorPassing
{
    /// <summary>Sends <paramref name="descriptor"/> with one byte of data.</summary>
    public static unsafe void Send(Socket socket, int descriptor)
    {
        byte data = 1;
        var vector = new LibC.IoVector { Start = &data, Length = 1 };
        var control = new LibC.DescriptorControl
        {
            Length = LibC.DescriptorControl.HeaderAndDescriptor,
            Level = LibC.SolSocket,
            Type = LibC.ScmRights,
            Descriptor = descriptor,
        };
        var message = new LibC.MessageHeader
        {
            Vectors = &vector,
            VectorCount = 1,
            Control = &control,
            ControlLength = (nuint)sizeof(LibC.DescriptorControl),
        };
        if (LibC.SendMsg((int)socket.Handle, &message, LibC.MsgNoSignal) != 1)
        {
            throw LibC.Failed("sendmsg of a descriptor");
        }
    }

    /// <summary>Takes the descriptor that the peer sent; the caller owns it.</summary>
    /// <exception cref="InvalidDataException">The peer sent something else.</exception>
    public static async Task<int> ReceiveAsync(Socket socket, CancellationToken cancellationToken)
    {
        // Completes when there is something to read, and takes nothing of it. Asking for no bytes would complete at times with nothing there.
        await socket.ReceiveAsync(new byte[1], SocketFlags.Peek, cancellationToken);
        return Receive(socket);
    }

    private static unsafe int Receive(Socket socket)
    {
        byte data = 0;
        var vector = new LibC.IoVector { Start = &data, Length = 1 };
        LibC.DescriptorControl control = default;
        var message = new LibC.MessageHeader
        {
            Vectors = &vector,
            VectorCount = 1,
            Control = &control,
            ControlLength = (nuint)sizeof(LibC.DescriptorControl),
        };
        nint count = LibC.RecvMsg((int)socket.Handle, &message, LibC.MsgCmsgCloseOnExec);
        if (count < 0)
        {
            throw LibC.Failed("recvmsg of a descriptor");
        }
        return count == 1 && control.Level == LibC.SolSocket && control.Type == LibC.ScmRights
            && control.Length == LibC.DescriptorControl.HeaderAndDescriptor
            ? control.Descriptor
            : throw new InvalidDataException("tensor link: the peer did not pass its shared memory");
    }
}
