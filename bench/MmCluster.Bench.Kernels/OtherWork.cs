using System.Diagnostics;
using MmCluster.Tensors;

namespace MmCluster.Bench.Kernels;

/// <summary>What a LLaMA layer does besides products, at 256 tokens and at one, in microseconds a layer.</summary>
internal static class OtherWork
{
    private const int Hidden = 2048, Heads = 32, KvHeads = 4, Dim = 64, Feed = 5632, Context = 288;

    internal static void Run(int rounds)
    {
        foreach (int tokens in new[] { 1, 256 })
        {
            using var scope = new TensorScope();
            Tensor x = RandomWeight.Rows(tokens, Hidden);
            Tensor residual = RandomWeight.Rows(tokens, Hidden);
            Tensor weight = Tensor.Ones([Hidden]);
            Tensor normed = Tensor.Empty([tokens, Hidden]);
            Tensor qkv = RandomWeight.Rows(tokens, (Heads + (2 * KvHeads)) * Dim);
            Tensor q = qkv.Slice(1, 0, Heads * Dim).Reshape(tokens, Heads, Dim);
            Tensor k = qkv.Slice(1, Heads * Dim, (Heads + KvHeads) * Dim).Reshape(tokens, KvHeads, Dim);
            Tensor v = qkv.Slice(1, (Heads + KvHeads) * Dim).Reshape(tokens, KvHeads, Dim);
            Tensor attended = Tensor.Empty([tokens, Heads, Dim]);
            Tensor gateUp = RandomWeight.Rows(tokens, 2 * Feed);
            Tensor gate = gateUp.Slice(1, 0, Feed);
            Tensor up = gateUp.Slice(1, Feed);
            Tensor product = Tensor.Empty([tokens, Feed]);
            using var kv = new PagedKv(32, KvHeads, Dim);
            Tensor angles = RandomWeight.Rows(512, Dim / 2);
            var table = new RopeTable(angles.Cos(), angles.Sin()); // real turns: q is turned again and again
            int start = tokens == 1 ? Context - 1 : 0;
            var batch = new PagedBatch
            {
                QueryStarts = Tensor.Of(0, tokens),
                SequenceLengths = Tensor.Of(start + tokens),
                BlockTables = Tensor.From(Enumerable.Range(0, 32).ToArray(), [1, 32]),
                SlotMapping = Tensor.From(Enumerable.Range(start, tokens).ToArray(), [tokens]),
                Positions = Tensor.From(Enumerable.Range(start, tokens).ToArray(), [tokens]),
            };
            Time(rounds, tokens, "add_rms_norm", () => Ops.AddRmsNorm(x, residual, weight, output: normed));
            Time(rounds, tokens, "rope_and_append", () => Ops.RopeAndAppend(q, k, v, table, kv, batch));
            Time(rounds, tokens, "paged_attention", () => Ops.PagedAttention(q, kv, batch, new AttentionOptions(), attended));
            Time(rounds, tokens, "silu_mul", () => Ops.SiluMul(gate, up, product));
        }
    }

    // On one thread the processor time that was ours, so that others' work on a shared machine counts less.
    private static TimeSpan Now() => Device.Cpu.Threads == 1 ? Environment.CpuUsage.UserTime : Stopwatch.GetElapsedTime(0);

    private static void Time(int rounds, int tokens, string name, Action work)
    {
        var samples = new List<double>();
        int inner = tokens == 1 ? 500 : 20;
        for (int r = 0; r < rounds + 5; r++)
        {
            TimeSpan start = Now();
            for (int i = 0; i < inner; i++)
            {
                using var scope = new TensorScope(recycle: true);
                work();
            }

            samples.Add((Now() - start).TotalMicroseconds / inner);
        }

        samples.Sort();
        Console.WriteLine($"{name,-16} {tokens,4} tokens: best {samples[0],8:f1} median {samples[samples.Count / 2],8:f1} µs");
    }
}
