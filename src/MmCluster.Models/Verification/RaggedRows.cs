using MmCluster.Tensors;

namespace MmCluster.Models.Verification;

/// <summary>
/// Padded rows [B, T] with a mask as a ragged batch that gives every position, masked ones too, what the padded computation gives it. A row's seen
/// positions are one sequence. A masked position is a sequence of its own over the same blocks: it looks at the seen positions before it and
/// leaves no key behind.
/// </summary>
internal sealed class RaggedRows
{
    private readonly List<(int Row, int Column)> _tokens = [];
    private readonly List<int> _starts = [0];
    private readonly List<(int Row, int Length)> _sequences = [];
    private readonly List<int> _slots = [];
    private readonly List<int> _positions = [];
    private readonly List<int> _visible = [];
    private readonly int _blocksARow;

    /// <param name="rows">B.</param>
    /// <param name="columns">T.</param>
    /// <param name="seen">[B, T], nonzero where a position is text; null where all are.</param>
    /// <param name="positionsSkipPadding">Whether positions count seen tokens only (OPT; −1 at masked ones), or columns.</param>
    public RaggedRows(int rows, int columns, int[,]? seen, bool positionsSkipPadding)
    {
        _blocksARow = (columns + PagedKv.BlockSize - 1) / PagedKv.BlockSize;
        for (int row = 0; row < rows; row++)
        {
            AddRow(row, columns, column => seen is null || seen[row, column] != 0, positionsSkipPadding);
        }
    }

    /// <summary>Where each of the batch's tokens stands in the padded rows.</summary>
    public IReadOnlyList<(int Row, int Column)> Tokens => _tokens;

    /// <summary>KV blocks that the rows take.</summary>
    public int Blocks => _blocksARow * _sequences.Select(sequence => sequence.Row + 1).Max();

    /// <summary>The batch; its tensors belong to the current scope.</summary>
    public PagedBatch Batch() => new()
    {
        QueryStarts = Tensor.From<int>([.. _starts], [_starts.Count]),
        SequenceLengths = Tensor.From<int>([.. _sequences.Select(sequence => sequence.Length)], [_sequences.Count]),
        BlockTables = Tensor.From<int>([.. _sequences.SelectMany(sequence => Enumerable.Range(sequence.Row * _blocksARow, _blocksARow))], [_sequences.Count, _blocksARow]),
        SlotMapping = Tensor.From<int>([.. _slots], [_slots.Count]),
        Positions = Tensor.From<int>([.. _positions], [_positions.Count]),
        VisibleEnds = Tensor.From<int>([.. _visible], [_visible.Count]),
    };

    /// <summary>
    /// The batch of the same tokens over a memory of its own for each row: sequences and queries as in <see cref="Batch"/>, lengths and blocks the memory's.
    /// </summary>
    public PagedBatch CrossBatch(int[] memoryLengths, int memoryBlocksARow)
    {
        int[] rows = [.. _sequences.Select(sequence => sequence.Row)];
        return new PagedBatch
        {
            QueryStarts = Tensor.From<int>([.. _starts], [_starts.Count]),
            SequenceLengths = Tensor.From<int>([.. rows.Select(row => memoryLengths[row])], [rows.Length]),
            BlockTables = Tensor.From<int>([.. rows.SelectMany(row => Enumerable.Range(row * memoryBlocksARow, memoryBlocksARow))], [rows.Length, memoryBlocksARow]),
            SlotMapping = Tensor.From<int>([.. _slots.Select(_ => -1)], [_slots.Count]),
            Positions = Tensor.From<int>([.. _positions], [_positions.Count]),
        };
    }

    /// <summary>Rows [T, width] of the batch's tokens in the order of the padded rows: [B, T, width], on the processor.</summary>
    public Tensor Pad(Tensor rows, int batch)
    {
        int width = rows.Size(1);
        int columns = _tokens.Count / batch;
        Tensor padded = Tensor.Empty([batch, columns, width]);
        float[] source = rows.To(DType.F32).ToArray<float>();
        Span<float> target = padded.AsSpan<float>();
        for (int i = 0; i < _tokens.Count; i++)
        {
            (int row, int column) = _tokens[i];
            source.AsSpan(i * width, width).CopyTo(target.Slice(((row * columns) + column) * width, width));
        }
        return padded;
    }

    private void AddRow(int row, int columns, Func<int, bool> isSeen, bool positionsSkipPadding)
    {
        int count = 0;
        for (int column = 0; column < columns; column++)
        {
            if (isSeen(column))
            {
                _tokens.Add((row, column));
                _slots.Add((row * _blocksARow * PagedKv.BlockSize) + count);
                _positions.Add(positionsSkipPadding ? count : column);
                count++;
                _visible.Add(count);
            }
        }
        if (count > 0)
        {
            Close(row, count);
        }
        int before = 0;
        int? first = null;
        for (int column = 0; column < columns; column++)
        {
            if (isSeen(column))
            {
                before++;
                first ??= column;
                continue;
            }
            _tokens.Add((row, column));
            _slots.Add(-1);
            _positions.Add(positionsSkipPadding ? -1 : column);
            _visible.Add(before);
            Close(row, column - (first ?? column) + 1); // its distance to what it sees is that of the columns
        }
    }

    private void Close(int row, int length)
    {
        _starts.Add(_tokens.Count);
        _sequences.Add((row, length));
    }
}
