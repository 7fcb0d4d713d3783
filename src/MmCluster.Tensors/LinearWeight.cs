namespace MmCluster.Tensors;

/// <summary>
/// A weight matrix [N, K] (outputs, inputs) packed for a device, in F32, BF16, Q8_0 or Q4_0; on a GPU F16 and F8E4M3 too. Immutable; may be used by several threads at once.
/// Not owned by a <see cref="TensorScope"/>: whoever packs it disposes it.
/// </summary>
public sealed class LinearWeight : IDisposable
{
    private LinearWeight(IDisposable packed, int outputs, int inputs, DType dtype, Device device)
    {
        Packed = packed;
        Outputs = outputs;
        Inputs = inputs;
        DType = dtype;
        Device = device;
    }

    /// <summary>N, the length of an output row.</summary>
    public int Outputs { get; }

    /// <summary>K, the length of an input row.</summary>
    public int Inputs { get; }

    /// <summary>How the values are stored.</summary>
    public DType DType { get; }

    /// <summary>Where it lies.</summary>
    public Device Device { get; }

    /// <summary>The float type of rows that meet it without conversion: F32 on the processor; on a GPU the matrix's, BF16 where that is no float.</summary>
    public DType InputType => Device.IsCpu ? DType.F32 : DType.IsFloat() ? DType : DType.BF16;

    /// <summary>Bytes it takes there, padding included.</summary>
    public long Bytes => Device.Backend.Bytes(Packed);

    internal IDisposable Packed { get; }

    /// <summary>Packs a matrix [N, K]. A matrix stored as [K, N] is packed through its transposed view.</summary>
    /// <inheritdoc cref="Pack(ReadOnlySpan{Tensor}, DType, Device?)"/>
    public static LinearWeight Pack(Tensor source, DType dtype, Device? device = null) => Pack([source], dtype, device);

    /// <summary>
    /// Packs matrices [Nᵢ, K], one below the other (a fused qkv or gate_up projection), reading each value once, on all threads of the device and
    /// without a second copy: sources may be views of a mapped file. Q8_0 and Q4_0 round as ggml's reference does, so the same source gives the
    /// bytes of llama.cpp's file; a source that has the block format already is taken as it is. K is filled with zeros up to a whole block.
    /// </summary>
    /// <param name="sources">F32, F16 or BF16 of any strides, or contiguous Q8_0 or Q4_0.</param>
    /// <param name="dtype">F32, BF16, Q8_0 or Q4_0; on a GPU also F16 and, from Ada on, F8E4M3.</param>
    /// <param name="device">Where; the processor when null.</param>
    /// <exception cref="ArgumentException">Not matrices, different K, integers, or no source.</exception>
    /// <exception cref="NotSupportedException">Another packed format.</exception>
    public static LinearWeight Pack(ReadOnlySpan<Tensor> sources, DType dtype, Device? device = null)
    {
        if (sources.IsEmpty)
        {
            throw new ArgumentException("linear weight: no source");
        }

        long outputs = 0;
        foreach (Tensor source in sources)
        {
            source.ThrowIfDisposed();
            if (source.Rank != 2 || source.Shape[1] != sources[0].Shape[1] || !(source.DType.IsFloat() || source.DType.IsQuantized()))
            {
                throw new ArgumentException($"linear weight: expected float matrices [N, {(sources[0].Rank == 2 ? sources[0].Shape[1] : "K")}], got {source}");
            }

            outputs += source.Shape[0];
        }

        device ??= Device.Cpu;
        int inputs = sources[0].Shape[1];
        IDisposable packed = device.Backend.Pack(sources, checked((int)outputs), inputs, dtype);
        return new LinearWeight(packed, (int)outputs, inputs, dtype, device);
    }

    /// <summary>Rows of the matrix as <see cref="InputType"/>, for embeddings that share it: [ids…, K].</summary>
    /// <param name="ids">I64 or I32, each in 0..N-1.</param>
    /// <param name="output">[ids…, K] of <see cref="InputType"/> or F32; or null.</param>
    /// <exception cref="ArgumentException">Another type, or an id that is no row.</exception>
    public Tensor Rows(Tensor ids, Tensor? output = null)
    {
        using Tensor dense = Ops.CheckIndices("rows", ids, Outputs, Device);
        output = Ops.Output("rows", output, Ops.Append(ids.Shape, Inputs), output?.DType == DType.F32 ? DType.F32 : InputType, Device);
        if (!output.IsContiguous)
        {
            throw new ArgumentException($"rows: the output must be contiguous, got {output}");
        }

        Device.Backend.Gather(Packed, dense, output);
        return output;
    }

    /// <summary>The whole matrix as F32 [N, K], exactly the values that products use.</summary>
    public Tensor Dequantize()
    {
        using Tensor ids = Tensor.Arange(Outputs, dtype: DType.I32);
        return Rows(ids, Tensor.Empty([Outputs, Inputs], DType.F32, Device));
    }

    /// <inheritdoc/>
    public void Dispose() => Packed.Dispose();
}
