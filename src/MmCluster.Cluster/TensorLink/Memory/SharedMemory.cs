using MmCluster.Cluster.TensorLink.Native;

namespace MmCluster.Cluster.TensorLink.Memory;

/// <summary>
/// A mapping of an anonymous memory file (memfd). Nothing of it has a name in the file system, so a killed process leaves nothing to sweep:
/// the memory goes when the last process that maps it does. The mapping lives until the last of its users has let go.
/// </summary>
internal sealed class SharedMemory : IDisposable
{
    private readonly int _descriptor;
    private int _users = 1;

    private SharedMemory(int descriptor, nint address, long bytes) => (_descriptor, Address, Bytes) = (descriptor, address, bytes);

    ~SharedMemory() => Unmap();

    /// <summary>Where it is mapped in this process.</summary>
    public nint Address { get; }

    /// <summary>Its size.</summary>
    public long Bytes { get; }

    /// <summary>The file descriptor, valid while this object lives.</summary>
    public int Descriptor => _descriptor;

    /// <summary>Creates <paramref name="bytes"/> of zeroed memory, sealed against shrinking: a reader's mapping can never fault.</summary>
    /// <exception cref="IOException">The machine has not the memory, or forbids it.</exception>
    public static SharedMemory Create(long bytes)
    {
        int descriptor = LibC.MemFdCreate("mm-tensors", LibC.MfdCloseOnExec | LibC.MfdAllowSealing);
        if (descriptor < 0)
        {
            throw LibC.Failed("memfd_create");
        }
        if (LibC.FTruncate(descriptor, bytes) != 0 || LibC.FCntl(descriptor, LibC.AddSeals, LibC.SealShrinkGrowSeal) != 0)
        {
            IOException error = LibC.Failed("ftruncate/fcntl of a memfd");
            _ = LibC.Close(descriptor);
            throw error;
        }
        return Map(descriptor, bytes, LibC.ProtRead | LibC.ProtWrite);
    }

    /// <summary>Maps a descriptor that another process passed, read-only; takes ownership of it.</summary>
    /// <exception cref="InvalidDataException">The file is not of the announced size.</exception>
    public static SharedMemory Open(int descriptor, long bytes)
    {
        const int SeekEnd = 2;
        long size = LibC.LSeek(descriptor, 0, SeekEnd);
        if (bytes <= 0 || size != bytes)
        {
            _ = LibC.Close(descriptor);
            throw new InvalidDataException($"a peer announced {bytes} bytes of shared memory and passed {size}");
        }
        return Map(descriptor, bytes, LibC.ProtRead);
    }

    /// <summary>Adds a user; each must <see cref="Dispose"/> once.</summary>
    public void AddUser() => Interlocked.Increment(ref _users);

    /// <summary>Lets go; the last user unmaps.</summary>
    public void Dispose()
    {
        if (Interlocked.Decrement(ref _users) == 0)
        {
            GC.SuppressFinalize(this);
            Unmap();
        }
    }

    private static SharedMemory Map(int descriptor, long bytes, int protection)
    {
        nint address = LibC.MMap(0, (nuint)bytes, protection, LibC.MapShared, descriptor, 0);
        if (address == -1)
        {
            IOException error = LibC.Failed("mmap of a memfd");
            _ = LibC.Close(descriptor);
            throw error;
        }
        return new SharedMemory(descriptor, address, bytes);
    }

    private void Unmap()
    {
        _ = LibC.MUnmap(Address, (nuint)Bytes);
        _ = LibC.Close(_descriptor);
    }
}
