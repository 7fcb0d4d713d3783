using MmCluster.Tensors;

namespace MmCluster.Bench.Cuda;

/// <summary>LLaMA-7B's layers with random weights, run by the operations that the network uses.</summary>
internal sealed class Llama : IDisposable
{
    private const int Width = 4096;
    private const int Heads = 32;
    private const int HeadDim = 128;
    private const int Intermediate = 11008;
    private const int Vocabulary = 32000;
    private const float Eps = 1e-5f;

    private readonly Gpu _gpu;
    private readonly LinearWeight[] _qkv;
    private readonly LinearWeight[] _out;
    private readonly LinearWeight[] _gateUp;
    private readonly LinearWeight[] _down;
    private readonly LinearWeight _head;
    private readonly Tensor _norm;
    private readonly RopeTable _rope;

    internal Llama(Gpu gpu, int layers)
    {
        _gpu = gpu;
        LinearWeight[] Make(int outputs, int inputs) => [.. Enumerable.Range(0, layers).Select(_ => gpu.Weight(outputs, inputs))];
        (_qkv, _out) = (Make(3 * Width, Width), Make(Width, Width));
        (_gateUp, _down) = (Make(2 * Intermediate, Width), Make(Width, Intermediate));
        _head = gpu.Weight(Vocabulary, Width);
        _norm = gpu.Ones(Width);
        _rope = Table(gpu);
    }

    internal int Layers => _qkv.Length;

    /// <summary>What a decode step reads: all weights, and keys and values of so many positions.</summary>
    internal double Bytes(long positions) =>
        _qkv.Concat(_out).Concat(_gateUp).Concat(_down).Append(_head).Sum(w => (double)w.Bytes) + (positions * Layers * 2.0 * Width * 2);

    /// <summary>Multiplications and additions of a prefill.</summary>
    internal double Operations(Sequences sequences) =>
        (2.0 * sequences.Tokens * Layers * ((4.0 * Width * Width) + (3.0 * Width * Intermediate))) + (Layers * sequences.Operations(Heads));

    /// <summary>The caches of all layers, filled.</summary>
    internal PagedKv[] Cache(int blocks)
    {
        PagedKv[] cache = [.. Enumerable.Range(0, Layers).Select(_ => new PagedKv(blocks, Heads, HeadDim, DType.BF16, _gpu.Device))];
        using var scope = new TensorScope();
        PagedBatch batch = new Sequences([blocks * PagedKv.BlockSize], [0]).Batch(_gpu);
        foreach (PagedKv kv in cache)
        {
            Tensor values = _gpu.Random([blocks * PagedKv.BlockSize, Heads, HeadDim]);
            Ops.Append(values, values, kv, batch);
        }

        return cache;
    }

    /// <summary>All layers over x [T, width], then the logits of <paramref name="last"/> rows.</summary>
    internal void Step(Tensor x, PagedBatch batch, PagedKv[] cache, int last)
    {
        for (int i = 0; i < Layers; i++)
        {
            using var scope = new TensorScope();
            Attention(i, QueryKeyValue(i, x), batch, cache, x);
            Ops.LinearAdd(GateUp(i, x), _down[i], null, x);
        }

        Tensor finished = Ops.RmsNorm(x.Slice(0, x.Size(0) - last), _norm, Eps);
        Ops.Linear(finished, _head, output: Tensor.Empty([last, Vocabulary], DType.F32, _gpu.Device));
    }

    /// <summary>The parts of a layer, each alone in a graph over all layers: name, microseconds a layer, bytes and operations a layer.</summary>
    internal IEnumerable<(string Name, double Microseconds, double Bytes, double Operations)> Parts(Sequences sequences, PagedBatch batch, PagedKv[] cache)
    {
        long tokens = sequences.Tokens;
        Tensor x = _gpu.Random([(int)tokens, Width]);
        Tensor wide = _gpu.Random([(int)tokens, 3 * Width]);
        Tensor inner = _gpu.Random([(int)tokens, Intermediate]);
        double kept = sequences.Queries.Zip(sequences.Cached, (n, p) => (double)(n + p)).Sum() * 2 * Width * 2;
        (string, double, double, double) Part(string name, Action<int> run, double bytes, double operations) =>
            (name, _gpu.Microseconds(Layers, run), bytes, operations);
        double Product(LinearWeight w) => 2.0 * tokens * w.Outputs * w.Inputs;
        yield return Part("norm, qkv", i => QueryKeyValue(i, x), _qkv[0].Bytes, Product(_qkv[0]));
        yield return Part("rope, append, attention",
            i => Ops.RopePagedAttention(wide, Heads, _rope, cache[i], batch, new AttentionOptions()), kept, sequences.Operations(Heads));
        yield return Part("out, add", i => Ops.LinearAdd(x, _out[i], null, Residual(x)), _out[0].Bytes, Product(_out[0]));
        yield return Part("norm, gate, up", i => GateUp(i, x), _gateUp[0].Bytes, Product(_gateUp[0]));
        yield return Part("down, add", i => Ops.LinearAdd(inner, _down[i], null, x), _down[0].Bytes, Product(_down[0]));
        yield return Part("norm alone", _ => Ops.RmsNorm(x, _norm, Eps), 4.0 * x.ElementCount, 0);
    }

    public void Dispose()
    {
        foreach (LinearWeight weight in _qkv.Concat(_out).Concat(_gateUp).Concat(_down).Append(_head))
        {
            weight.Dispose();
        }
    }

    private Tensor QueryKeyValue(int i, Tensor x) => Ops.RmsNormLinear(x, _norm, Eps, _qkv[i]);

    private Tensor GateUp(int i, Tensor x) => Ops.RmsNormGatedLinear(x, _norm, Eps, _gateUp[i], Activation.Silu);

    private void Attention(int i, Tensor qkv, PagedBatch batch, PagedKv[] cache, Tensor residual) =>
        Ops.LinearAdd(Ops.RopePagedAttention(qkv, Heads, _rope, cache[i], batch, new AttentionOptions()), _out[i], null, residual);

    private Tensor Residual(Tensor x) => _gpu.Empty(x.Shape);

    private static RopeTable Table(Gpu gpu)
    {
        const int Positions = 4096;
        const int Half = HeadDim / 2;
        double[] angles = [.. Enumerable.Range(0, Positions * Half).Select(i => i / Half * Math.Pow(10000, -(i % Half) / (double)Half))];
        Tensor Of(Func<double, double> f) => Tensor.From([.. angles.Select(a => (float)f(a))], [Positions, Half]).To(gpu.Device);
        return new RopeTable(Of(Math.Cos), Of(Math.Sin));
    }
}
