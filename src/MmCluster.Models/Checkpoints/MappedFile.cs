using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace MmCluster.Models.Checkpoints;

/// <summary>
/// A file mapped read-only. Its pages count as resident once touched, so readers call <see cref="Release"/> behind themselves: the data stays
/// in the page cache and the process's peak stays at the size of what it made from the file.
/// </summary>
internal sealed unsafe partial class MappedFile : IDisposable
{
    private const int DontNeed = 4; // MADV_DONTNEED; on a read-only file mapping it only drops this process's page-table entries

    private static readonly long PageSize = Environment.SystemPageSize;

    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _start;
    private bool _disposed;

    public MappedFile(string path)
    {
        Path = path;
        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        Length = stream.Length;
        if (Length == 0)
        {
            throw new InvalidDataException($"{path}: the file is empty");
        }
        _file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        _view = _file.CreateViewAccessor(0, Length, MemoryMappedFileAccess.Read);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
        _start += _view.PointerOffset;
    }

    public string Path { get; }

    public long Length { get; }

    /// <summary>The bytes at <paramref name="offset"/>; the caller has checked that they lie within the file.</summary>
    public byte* Pointer(long offset)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _start + offset;
    }

    /// <summary>Bytes as a span.</summary>
    /// <exception cref="InvalidDataException">They reach behind the end of the file.</exception>
    public ReadOnlySpan<byte> Span(long offset, long length, string what)
    {
        if (offset < 0 || length < 0 || length > int.MaxValue || offset > Length - length)
        {
            throw new InvalidDataException($"{Path}: {what} at {offset} needs {length} bytes, the file has {Length}: truncated or damaged");
        }
        return new ReadOnlySpan<byte>(Pointer(offset), (int)length);
    }

    /// <summary>Drops the resident pages that lie within the range; they are read again when touched.</summary>
    public void Release(long offset, long length)
    {
        long from = (offset + PageSize - 1) / PageSize * PageSize;
        long to = (offset + length) / PageSize * PageSize;
        if (to > from && OperatingSystem.IsLinux())
        {
            _ = MAdvise(Pointer(from), (nuint)(to - from), DontNeed);
        }
    }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
            _file.Dispose();
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int MAdvise(byte* address, nuint length, int advice);
}
