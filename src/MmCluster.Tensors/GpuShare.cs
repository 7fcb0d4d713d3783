using System.Runtime.InteropServices;
using MmCluster.Tensors.Cuda;
using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Tensors;

/// <summary>
/// A run of a GPU's memory that processes of one machine share through a file descriptor: made by one, mapped by others, also into the addresses of another GPU that can
/// reach it. It lives until the last process that maps it lets go, so a peer that is killed takes nothing away under a kernel that reads. Tensors over it keep it mapped.
/// </summary>
public sealed unsafe partial class GpuShare : IDisposable
{
    private readonly CudaContext _context;
    private readonly nint _address;
    private readonly bool _readOnly;
    private int _disposed;

    private GpuShare(Device device, nint address, long bytes, int descriptor, bool readOnly)
    {
        _context = ContextOf(device);
        (Device, _address, Bytes, Descriptor, _readOnly) = (device, address, bytes, descriptor, readOnly);
    }

    /// <summary>Unmaps it when no tensor is left.</summary>
    ~GpuShare() => Free();

    /// <summary>Whose addresses it is mapped to.</summary>
    public Device Device { get; }

    /// <summary>Its size.</summary>
    public long Bytes { get; }

    /// <summary>What another process opens it by, valid while this object lives; -1 where it came from one.</summary>
    public int Descriptor { get; }

    /// <summary>Takes <paramref name="bytes"/> of a GPU, rounded up to its pages, not cleared.</summary>
    /// <exception cref="InsufficientMemoryException">The GPU has not so much.</exception>
    /// <exception cref="NotSupportedException">This driver or machine cannot share a GPU's memory.</exception>
    public static GpuShare Create(Device device, long bytes)
    {
        CudaContext context = ContextOf(device);
        context.Bind();
        AllocationProperties properties = new()
        {
            Type = AllocationProperties.Pinned,
            HandleTypes = AllocationProperties.FileDescriptor,
            LocationType = AllocationProperties.OnDevice,
            Location = context.DeviceHandle,
        };
        nuint page;
        Need(CudaMemory.cuMemGetAllocationGranularity(&page, &properties, 0), device);
        bytes = checked((bytes + (long)page - 1) / (long)page * (long)page);
        ulong handle;
        CudaResult made = CudaMemory.cuMemCreate(&handle, (nuint)bytes, &properties, 0);
        if (made == CudaResult.OutOfMemory)
        {
            throw new InsufficientMemoryException($"{device}: out of memory taking {bytes >> 20} MiB to share");
        }
        Need(made, device);
        int descriptor = -1;
        try
        {
            Need(CudaMemory.cuMemExportToShareableHandle(&descriptor, handle, AllocationProperties.FileDescriptor, 0), device);
            return new GpuShare(device, Map(context, handle, (nuint)bytes, readOnly: false), bytes, descriptor, readOnly: false);
        }
        catch (Exception error)
        {
            Close(descriptor);
            throw error is CudaException { IsSticky: false } ? new NotSupportedException(error.Message, error) : error;
        }
        finally
        {
            _ = CudaMemory.cuMemRelease(handle); // the mapping and the descriptor hold it
        }
    }

    /// <summary>Maps what another process made, to be read on <paramref name="device"/>; takes the descriptor over, also where it fails.</summary>
    /// <exception cref="NotSupportedException">The device cannot reach it, or it is not of that size.</exception>
    public static GpuShare Open(Device device, int descriptor, long bytes)
    {
        ulong handle = 0;
        try
        {
            CudaContext context = ContextOf(device);
            context.Bind();
            Need(CudaMemory.cuMemImportFromShareableHandle(&handle, descriptor, AllocationProperties.FileDescriptor), device);
            return new GpuShare(device, Map(context, handle, (nuint)bytes, readOnly: true), bytes, descriptor: -1, readOnly: true);
        }
        catch (CudaException error) when (!error.IsSticky)
        {
            throw new NotSupportedException($"{device}: cannot map the {bytes} bytes that a peer shares: {error.Message}", error);
        }
        finally
        {
            if (handle != 0)
            {
                _ = CudaMemory.cuMemRelease(handle);
            }
            Close(descriptor);
        }
    }

    /// <summary>A dense tensor over a part of it; keeps it mapped.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Beyond its end.</exception>
    public Tensor View(long offset, Shape shape, DType dtype)
    {
        long bytes = dtype.Bytes(shape.ElementCount);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, Bytes - offset);
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        var storage = Storage.Over((byte*)_address + offset, bytes, this, _readOnly);
        try
        {
            return Tensor.Over(storage, 0, shape, dtype, Device);
        }
        finally
        {
            storage.Release(); // the tensor holds it
        }
    }

    /// <summary>Unmaps it; nobody may read or write it any more. Where that is not known, leave it to the collector.</summary>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private static nint Map(CudaContext context, ulong handle, nuint bytes, bool readOnly)
    {
        nint address;
        CudaCall.Check(CudaMemory.cuMemAddressReserve(&address, bytes, 0, 0, 0));
        try
        {
            // Fails where the allocation is smaller than was said.
            CudaCall.Check(CudaMemory.cuMemMap(address, bytes, 0, handle, 0));
            AccessDescription access = new()
            {
                LocationType = AllocationProperties.OnDevice,
                Location = context.DeviceHandle,
                Flags = readOnly ? AccessDescription.Read : AccessDescription.ReadWrite,
            };
            CudaResult allowed = CudaMemory.cuMemSetAccess(address, bytes, &access, 1);
            if (allowed != CudaResult.Success && readOnly)
            {
                access.Flags = AccessDescription.ReadWrite; // not every driver knows memory that is only read
                allowed = CudaMemory.cuMemSetAccess(address, bytes, &access, 1);
            }
            CudaCall.Check(allowed, "cuMemSetAccess(");
            return address;
        }
        catch
        {
            Unmap(address, bytes);
            throw;
        }
    }

    private static void Unmap(nint address, nuint bytes)
    {
        _ = CudaMemory.cuMemUnmap(address, bytes);
        _ = CudaMemory.cuMemAddressFree(address, bytes);
    }

    private static CudaContext ContextOf(Device device) => device.Backend is CudaBackend gpu
        ? gpu.Context
        : throw new ArgumentException($"gpu share: {device} is no GPU");

    private static void Need(CudaResult result, Device device)
    {
        if (result != CudaResult.Success)
        {
            throw new NotSupportedException($"{device}: this driver or machine cannot share a GPU's memory between processes ({result})");
        }
    }

    private void Free()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }
        if (!_context.Lost.IsCompleted)
        {
            _context.Bind();
            Unmap(_address, (nuint)Bytes);
        }
        Close(Descriptor);
    }

    private static void Close(int descriptor)
    {
        if (descriptor >= 0)
        {
            _ = CloseDescriptor(descriptor);
        }
    }

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int CloseDescriptor(int descriptor);
}
