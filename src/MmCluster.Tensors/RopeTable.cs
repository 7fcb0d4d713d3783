namespace MmCluster.Tensors;

/// <summary>Cosines and sines of rotary embeddings. Does not own its tensors.</summary>
public sealed class RopeTable
{
    /// <summary>A table of two F32 tensors [positions, rotary dimensions / 2].</summary>
    /// <param name="cos">Cosines, scaled already where the rope type scales them.</param>
    /// <param name="sin">Sines.</param>
    /// <param name="interleaved">Pairs are (0, 1), (2, 3), … (GPT-J) instead of (0, r/2), (1, r/2 + 1), … (LLaMA, NeoX).</param>
    /// <exception cref="ArgumentException">Not dense F32 matrices of one shape.</exception>
    public RopeTable(Tensor cos, Tensor sin, bool interleaved = false)
    {
        if (cos.Rank != 2 || cos.Shape != sin.Shape || cos.DType != DType.F32 || sin.DType != DType.F32 || !cos.IsContiguous || !sin.IsContiguous)
        {
            throw new ArgumentException($"rope table: expected two dense F32 matrices of one shape, got {cos} and {sin}");
        }

        Cos = cos;
        Sin = sin;
        Interleaved = interleaved;
    }

    /// <summary>[positions, rotary / 2]</summary>
    public Tensor Cos { get; }

    /// <summary>[positions, rotary / 2]</summary>
    public Tensor Sin { get; }

    /// <summary>Whether neighbours are a pair.</summary>
    public bool Interleaved { get; }

    /// <summary>How many dimensions of a head turn; those behind them stay.</summary>
    public int RotaryDim => 2 * Cos.Shape[1];

    /// <summary>How many positions it has.</summary>
    public int Positions => Cos.Shape[0];
}
