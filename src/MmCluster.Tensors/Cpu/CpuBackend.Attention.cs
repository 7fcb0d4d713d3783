using MmCluster.Tensors.Cpu.Attention;
using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu;

// Attention over blocks, and what fills them.
internal sealed unsafe partial class CpuBackend
{
    public void PagedAttention(Tensor q, PagedKv kv, PagedBatch batch, in AttentionOptions options, Tensor y)
    {
        AttentionArguments a = Arguments(new KvView(kv), options);
        a.Q = q.Pointer<float>();
        (a.QToken, a.QHead) = (q.Stride(0), q.Stride(1));
        a.Y = y.Pointer<float>();
        (a.YToken, a.YHead) = (y.Stride(0), y.Stride(1));
        a.Heads = q.Shape[1];
        a.Sequences = batch.SequenceLengths.Shape[0];
        a.QueryStarts = batch.QueryStarts.Pointer<int>();
        a.SequenceLengths = batch.SequenceLengths.Pointer<int>();
        a.BlockTables = batch.BlockTables.Pointer<int>();
        a.TableStep = batch.BlockTables.Shape[1];
        a.VisibleEnds = batch.VisibleEnds is { } ends ? ends.Pointer<int>() : null;
        a.VisibleStarts = batch.VisibleStarts is { } starts ? starts.Pointer<int>() : null;
        a.QueriesAreLast = true;
        Run(ref a);
    }

    public void Attention(Tensor q, Tensor k, Tensor v, in AttentionOptions options, Tensor? mask, Tensor? bias, Tensor y)
    {
        int keyLength = k.Shape[2];
        int blocks = (keyLength + PagedKv.BlockSize - 1) / PagedKv.BlockSize;
        KvPackBody pack = default;
        pack.Kv.Heads = k.Shape[1];
        pack.Kv.KeyDim = k.Shape[3];
        pack.Kv.ValueDim = v.Shape[3];
        Storage storage = Storage.Allocate((long)k.Shape[0] * blocks * pack.Kv.Heads * pack.Kv.HeadBytes);
        pack.Kv.Data = (byte*)storage.Address;
        pack.K = k.Pointer<float>();
        pack.KStrides = k.StridesCopy();
        pack.V = v.Pointer<float>();
        pack.VStrides = v.StridesCopy();
        pack.Length = keyLength;
        _pool.Run(k.Shape[0] * k.Shape[1], ref pack);

        AttentionArguments a = Arguments(pack.Kv, options);
        a.Q = q.Pointer<float>();
        (a.QSequence, a.QHead, a.QToken) = (q.Stride(0), q.Stride(1), q.Stride(2));
        a.Y = y.Pointer<float>();
        (a.YSequence, a.YHead, a.YToken) = (y.Stride(0), y.Stride(1), y.Stride(2));
        a.Sequences = q.Shape[0];
        a.Heads = q.Shape[1];
        a.QueryLength = q.Shape[2];
        a.KeyLength = keyLength;
        a.TableStep = blocks;
        if (mask is not null)
        {
            a.Mask = mask.Data;
            a.MaskStrides = mask.StridesCopy();
        }

        if (bias is not null)
        {
            a.Bias = bias.Pointer<float>();
            a.BiasStrides = bias.StridesCopy();
        }

        Run(ref a);
        storage.Release();
    }

    public void Rope(Tensor q, Tensor qOut, Tensor? k, Tensor? v, RopeTable? table, Tensor? positions, PagedKv? kv, Tensor? slots)
    {
        if (SimdLevel.Has512)
        {
            Rope<Vec512>(q, qOut, k, v, table, positions, kv, slots);
        }
        else if (SimdLevel.Has256)
        {
            Rope<Vec256>(q, qOut, k, v, table, positions, kv, slots);
        }
        else
        {
            Rope<Vec128>(q, qOut, k, v, table, positions, kv, slots);
        }
    }

    public void Append(Tensor k, Tensor v, PagedKv kv, Tensor slots)
    {
        RopeBody<Vec128> body = default;
        FillKv(ref body, k, v, kv, slots);
        body.HeadDim = k.Shape[2];
        Run(ref body, k.Shape[0]);
    }

    private static AttentionArguments Arguments(in KvView kv, in AttentionOptions options)
    {
        AttentionArguments a = default;
        a.Kv = kv;
        a.Scale = options.Scale ?? 1f / MathF.Sqrt(kv.KeyDim);
        a.SoftCap = options.SoftCap ?? 0;
        a.Window = options.Window ?? int.MaxValue;
        a.Causal = options.Causal;
        a.AlibiSlopes = options.AlibiSlopes is { } slopes ? slopes.Pointer<float>() : null;
        a.DistanceBias = options.DistanceBias is { } distances ? distances.Pointer<float>() : null;
        a.DistanceCount = options.DistanceBias?.Shape[1] ?? 0;
        return a;
    }

    private void Run(ref AttentionArguments a)
    {
        Storage starts = Storage.Allocate((a.Sequences + 1L) * sizeof(int));
        a.TaskStarts = (int*)starts.Address;
        int tasks = a.CountTasks();
        if (SimdLevel.Has512)
        {
            Run<Vec512>(a, tasks);
        }
        else if (SimdLevel.Has256)
        {
            Run<Vec256>(a, tasks);
        }
        else
        {
            Run<Vec128>(a, tasks);
        }

        starts.Release();
    }

    private void Run<T>(in AttentionArguments a, int tasks) where T : unmanaged, IVec<T>
    {
        switch (a.Kv.DType)
        {
            case DType.F32:
                var floats = new AttentionBody<T, KvF32> { Arguments = a };
                _pool.Run(tasks, ref floats);
                break;
            case DType.BF16:
                var halves = new AttentionBody<T, KvBF16> { Arguments = a };
                _pool.Run(tasks, ref halves);
                break;
            default:
                var bytes = new AttentionBody<T, KvQ8> { Arguments = a };
                _pool.Run(tasks, ref bytes);
                break;
        }
    }

    private void Rope<T>(Tensor q, Tensor qOut, Tensor? k, Tensor? v, RopeTable? table, Tensor? positions, PagedKv? kv, Tensor? slots)
        where T : unmanaged, IVec<T>
    {
        RopeBody<T> body = default;
        body.Q = q.Pointer<float>();
        (body.QToken, body.QHead) = (q.Stride(0), q.Stride(1));
        body.QOut = qOut.Pointer<float>();
        (body.QOutToken, body.QOutHead) = (qOut.Stride(0), qOut.Stride(1));
        body.Heads = q.Shape[1];
        body.HeadDim = q.Shape[2];
        if (table is not null)
        {
            body.Cos = table.Cos.Pointer<float>();
            body.Sin = table.Sin.Pointer<float>();
            body.RotaryHalf = table.RotaryDim / 2;
            body.Interleaved = table.Interleaved;
            body.Positions = positions!.Pointer<int>();
        }

        if (k is not null)
        {
            FillKv(ref body, k, v!, kv!, slots!);
        }

        Run(ref body, q.Shape[0]);
    }

    private static void FillKv<T>(ref RopeBody<T> body, Tensor k, Tensor v, PagedKv kv, Tensor slots) where T : unmanaged, IVec<T>
    {
        body.K = k.Pointer<float>();
        (body.KToken, body.KHead) = (k.Stride(0), k.Stride(1));
        body.V = v.Pointer<float>();
        (body.VToken, body.VHead) = (v.Stride(0), v.Stride(1));
        body.Kv = new KvView(kv);
        body.Slots = slots.Pointer<int>();
    }

    private void Run<T>(ref RopeBody<T> body, int tokens) where T : unmanaged, IVec<T>
    {
        body.Tokens = tokens;
        body.TokensAPart = Math.Max(1, 8192 / Math.Max(1, body.HeadDim * (body.Heads + body.Kv.Heads)));
        _pool.Run((tokens + body.TokensAPart - 1) / body.TokensAPart, ref body);
    }
}
