namespace MmCluster.Tensors.Cpu.Linear;

/// <summary>
/// A matrix [N, K] in panels: 64 columns n for F32 and BF16, 32 for the block formats, each panel one linear stream over k. The last panel is
/// filled with zeros; block formats fill K up to whole blocks.
/// </summary>
internal sealed unsafe class PackedMatrix : IDisposable
{
    private readonly Storage _storage;
    private bool _disposed;

    internal PackedMatrix(int rows, int columns, DType dtype)
    {
        Rows = rows;
        Columns = columns;
        DType = dtype;
        PanelWidth = dtype.IsQuantized() ? QuantPanels.Columns : 64;
        Panels = (rows + PanelWidth - 1) / PanelWidth;
        Blocks = (columns + DTypes.BlockLength - 1) / DTypes.BlockLength;
        PanelBytes = dtype switch
        {
            DType.F32 => 256L * columns,
            DType.BF16 => 128L * columns,
            DType.Q8_0 => (long)QuantPanels.Q8Bytes * Blocks,
            DType.Q4_0 => (long)QuantPanels.Q4Bytes * Blocks,
            _ => throw new NotSupportedException($"linear weight: {dtype} is not a packed format; known: F32, BF16, Q8_0, Q4_0"),
        };
        _storage = Storage.Allocate(checked(PanelBytes * Panels));
    }

    /// <summary>N, the outputs.</summary>
    internal int Rows { get; }

    /// <summary>K, the inputs.</summary>
    internal int Columns { get; }

    internal DType DType { get; }

    internal int PanelWidth { get; }

    internal int Panels { get; }

    /// <summary>Blocks of 32 along K.</summary>
    internal int Blocks { get; }

    internal long PanelBytes { get; }

    internal long Bytes => PanelBytes * Panels;

    internal byte* Panel(int panel)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _storage.Address + (panel * PanelBytes);
    }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _storage.Release();
        }
    }
}
