namespace MmCluster.Tensors;

/// <summary>
/// What a device does. Shapes, dtypes and overlap are checked above it (<see cref="Ops"/>); outputs come allocated. Tensors may be strided
/// unless a member says otherwise. Floats are F32 on the processor; on a GPU F32, F16 or BF16, outputs in the type of the first input.
/// </summary>
internal partial interface IBackend
{
    /// <summary>Threads it runs on.</summary>
    int Threads { get; set; }

    /// <summary>Memory of the device, not cleared, with one view counted.</summary>
    Storage Allocate(long bytes);

    /// <summary>Zeros.</summary>
    Storage AllocateZeroed(long bytes);

    /// <summary>Gives back what is kept of freed memory for later tensors.</summary>
    void ReleaseCached();

    /// <summary>Copies bytes between dense tensors of one type and shape, one of them on another device; the source may be reused at once.</summary>
    void Transfer(Tensor source, Tensor destination);

    /// <summary>Sets all elements of a dense tensor.</summary>
    void Fill(Tensor x, double value);

    /// <summary>Rows of a float matrix, of any strides, at dense ids; y dense.</summary>
    void Embedding(Tensor table, Tensor ids, Tensor y);

    /// <summary>y[i, …] = x[indices[i], …]; dense indices, one type.</summary>
    void SelectRows(Tensor x, Tensor indices, Tensor y);

    /// <summary>x[indices[i], …] = rows[i, …], converted; the last of equal indices stays.</summary>
    void ScatterRows(Tensor x, Tensor indices, Tensor rows);

    /// <summary>y[i…] = x with the index along an axis replaced by index[i…]; index and y dense.</summary>
    void Gather(Tensor x, int axis, Tensor index, Tensor y);

    /// <summary>Copies equal shapes, converting the element type.</summary>
    void Copy(Tensor source, Tensor destination);

    /// <summary>y = op(x), floats; a and b are the operation's constants.</summary>
    void Unary(UnaryOperation operation, Tensor x, Tensor y, float a, float b);

    /// <summary>z = op(x, y), broadcast; floats or integers of one type, or Bool out for comparisons.</summary>
    void Binary(BinaryOperation operation, Tensor x, Tensor y, Tensor z);

    /// <summary>z = condition ? x : y, broadcast.</summary>
    void Where(Tensor condition, Tensor x, Tensor y, Tensor z);

    /// <summary>y = (x - mean) / √(variance + eps) weight + bias along the last axis. Even rows, dense weights.</summary>
    void LayerNorm(Tensor x, Tensor? weight, Tensor? bias, Tensor y, float eps);

    /// <summary>y = x / √(mean(x²) + eps) weight along the last axis. Even rows, dense weight.</summary>
    void RmsNorm(Tensor x, Tensor? weight, Tensor y, float eps);

    /// <summary>residual += x; y = the RMS norm of residual. Even rows, dense weight.</summary>
    void AddRmsNorm(Tensor x, Tensor residual, Tensor? weight, Tensor y, float eps);

    /// <summary>Softmax or its logarithm along the last axis. Even rows.</summary>
    void Softmax(Tensor x, Tensor y, bool logarithm);

    /// <summary>Reduces the last axis; y is dense, F32 or I64 for Argmax. x: F32, even rows.</summary>
    void Reduce(Reduction reduction, Tensor x, Tensor y);

    /// <summary>The largest of each dense row in falling order, into dense values (F32) and indices (I64).</summary>
    void TopK(Tensor x, Tensor values, Tensor indices);

    /// <summary>Packs float or block matrices of <paramref name="columns"/> inputs, one below the other.</summary>
    IDisposable Pack(ReadOnlySpan<Tensor> sources, int rows, int columns, DType dtype);

    /// <summary>Bytes a packed matrix takes.</summary>
    long Bytes(IDisposable weight);

    /// <summary>y = activation(x Wᵀ + bias). Even rows, apart from each other.</summary>
    void Linear(Tensor x, IDisposable weight, Tensor? bias, Activation activation, Tensor y);

    /// <summary>Row ids[i] of a packed matrix to row i of y; ids are checked, both dense.</summary>
    void Gather(IDisposable weight, Tensor ids, Tensor y);

    /// <summary>q [B, H, Lq, D], k [B, Hkv, Lk, D], v [B, Hkv, Lk, Dv], last axes dense; mask (Bool) and bias (F32) expanded to [B, H, Lq, Lk].</summary>
    void Attention(Tensor q, Tensor k, Tensor v, in AttentionOptions options, Tensor? mask, Tensor? bias, Tensor y);

    /// <summary>q and y [T, H, D], last axes dense; the batch is checked.</summary>
    void PagedAttention(Tensor q, PagedKv kv, PagedBatch batch, in AttentionOptions options, Tensor y);

    /// <summary>Turns q [T, H, D] into qOut (may be q); turns k and puts it with v into slots where given.</summary>
    void Rope(Tensor q, Tensor qOut, Tensor? k, Tensor? v, RopeTable? table, Tensor? positions, PagedKv? kv, Tensor? slots);

    /// <summary>Puts k and v [T, Hkv, D] into slots.</summary>
    void Append(Tensor k, Tensor v, PagedKv kv, Tensor slots);

    /// <summary>Resamples x [N, C, H, W] to the size of y; both dense.</summary>
    void Interpolate(Tensor x, Tensor y, InterpolationMode mode, bool alignCorners, bool antialias);

    /// <summary>Fills dense y with normal numbers as <see cref="Tensor.Normal"/> defines them. A device without a kernel for it gets the processor's.</summary>
    void Normal(Tensor y, ulong seed, float mean, float std)
    {
        using Tensor host = Tensor.Normal(y.Shape, seed, mean, std, y.DType);
        Transfer(host, y);
    }
}
