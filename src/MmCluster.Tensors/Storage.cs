using System.Diagnostics;
using System.Numerics;
using System.Runtime.InteropServices;

namespace MmCluster.Tensors;

/// <summary>A run of native memory that tensors share, counted by its views. Freed with the last one, or by the finalizer.</summary>
internal sealed unsafe class Storage
{
    private object? _owner; // keeps external memory alive; null when the memory is ours
    private Source _source;
    private nint _block; // what calloc gave, before alignment
    private DeviceMemory? _deviceMemory;
    private int _views;

    ~Storage() => FreeMemory();

    private enum Source
    {
        Cache, Zeroed, External, Device,
    }

    internal byte* Address { get; private set; }

    internal long Bytes { get; private set; }

    internal bool IsReadOnly { get; private set; }

    /// <summary>The device's block that it is; null on the processor.</summary>
    internal DeviceMemory? Block => _deviceMemory;

    /// <summary>Memory of our own, 64-byte aligned, not cleared, with one view counted.</summary>
    internal static Storage Allocate(long bytes)
    {
        Storage storage = ScopeStack.Current.TakeStorage();
        storage.Bytes = bytes;
        storage.Address = BlockCache.Rent(bytes);
        storage._source = Source.Cache;
        storage.IsReadOnly = false;
        storage._views = 1;
        return storage;
    }

    /// <summary>Zeros of our own, 64-byte aligned; the system gives pages only as they are touched.</summary>
    internal static Storage AllocateZeroed(long bytes)
    {
        Storage storage = ScopeStack.Current.TakeStorage();
        storage.Bytes = bytes;
        storage._block = (nint)NativeMemory.AllocZeroed(checked((nuint)bytes + 63));
        storage.Address = (byte*)((storage._block + 63) & ~63);
        storage._source = Source.Zeroed;
        storage.IsReadOnly = false;
        storage._views = 1;
        return storage;
    }

    /// <summary>Memory of somebody else, who stays reachable as long as this does.</summary>
    internal static Storage Over(void* address, long bytes, object owner, bool readOnly)
    {
        Storage storage = ScopeStack.Current.TakeStorage();
        storage.Bytes = bytes;
        storage.Address = (byte*)address;
        storage._owner = owner;
        storage._source = Source.External;
        storage.IsReadOnly = readOnly;
        storage._views = 1;
        return storage;
    }

    /// <summary>A device's block, taken over. Its addresses are the device's.</summary>
    internal static Storage Of(DeviceMemory memory, long bytes)
    {
        Storage storage = ScopeStack.Current.TakeStorage();
        storage.Bytes = bytes;
        storage.Address = (byte*)memory.Address;
        storage._deviceMemory = memory;
        storage._source = Source.Device;
        storage.IsReadOnly = false;
        storage._views = 1;
        return storage;
    }

    internal void Retain()
    {
        int views = Interlocked.Increment(ref _views);
        Debug.Assert(views > 1, "a view of freed memory");
    }

    internal void Release()
    {
        if (Interlocked.Decrement(ref _views) > 0)
        {
            return;
        }

        FreeMemory();
        ScopeStack.Current.Recycle(this); // not taken back: its finalizer finds nothing to free
    }

    private void FreeMemory()
    {
        if (Address != null && _source == Source.Cache)
        {
            BlockCache.Return(Address, Bytes);
        }
        else if (Address != null && _source == Source.Zeroed)
        {
            NativeMemory.Free((void*)_block);
        }
        else if (_deviceMemory is { } memory)
        {
            _deviceMemory = null;
            memory.Free();
        }

        Address = null;
        _owner = null;
    }
}

/// <summary>
/// Native blocks between their uses, by size class (4 classes an octave), so that activations do not fault their pages in anew every step.
/// Holds at most 128 MB; larger blocks and what is over go back to the system. Thread-safe.
/// </summary>
internal static unsafe class BlockCache
{
    private const long MaxCached = 128L << 20;
    private const int Alignment = 64;
    private const int Classes = 128;

    private static readonly Lock Gate = new();
    private static readonly Stack<nint>[] Free = CreateStacks();
    private static long _cached;

    internal static byte* Rent(long bytes)
    {
        (int index, long rounded) = SizeClass(bytes);
        lock (Gate)
        {
            if (Free[index].TryPop(out nint block))
            {
                _cached -= rounded;
                return (byte*)block;
            }
        }

        return rounded >= 2 * HugePages.Size ? HugePages.Allocate(rounded, bytes) : (byte*)NativeMemory.AlignedAlloc((nuint)rounded, Alignment);
    }

    internal static void Return(byte* block, long bytes)
    {
        (int index, long rounded) = SizeClass(bytes);
        lock (Gate)
        {
            if (_cached + rounded <= MaxCached)
            {
                _cached += rounded;
                Free[index].Push((nint)block);
                return;
            }
        }

        NativeMemory.AlignedFree(block);
    }

    // (2^n, 2^(n+1)] bytes in four classes. Blocks over the cache's size are never cached, so not rounded either.
    private static (int Index, long Bytes) SizeClass(long bytes)
    {
        if (bytes <= 4 * Alignment)
        {
            long units = Math.Max(1, (bytes + Alignment - 1) / Alignment);
            return ((int)units, units * Alignment);
        }

        if (bytes > MaxCached)
        {
            return (Classes - 1, checked(bytes + (Alignment - 1)) / Alignment * Alignment);
        }

        int octave = BitOperations.Log2((ulong)bytes - 1);
        long step = 1L << (octave - 2);
        long quarters = (bytes - (1L << octave) + step - 1) / step;
        return (((octave - 7) * 4) + (int)quarters, (4 + quarters) * step);
    }

    private static Stack<nint>[] CreateStacks()
    {
        var stacks = new Stack<nint>[Classes];
        for (int i = 0; i < stacks.Length; i++)
        {
            stacks[i] = new Stack<nint>();
        }

        return stacks;
    }
}

/// <summary>Asks the system for large pages under large blocks: fewer faults while they are filled, fewer misses while they are read.</summary>
internal static unsafe partial class HugePages
{
    internal const int Size = 2 << 20;
    private const int Advice = 14; // MADV_HUGEPAGE

    /// <summary>A block whose whole large pages in the used part are advised; its tail is not, so that no more is resident than was asked for.</summary>
    internal static byte* Allocate(long bytes, long used)
    {
        var block = (byte*)NativeMemory.AlignedAlloc((nuint)bytes, Size);
        if (OperatingSystem.IsLinux())
        {
            _ = Advise(block, (nuint)(used / Size * Size), Advice); // a refusal costs speed only
        }

        return block;
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint bytes, int advice);
}
