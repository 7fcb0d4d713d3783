namespace MmCluster.Tensors.Tests;

public sealed class ComputePoolTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public unsafe void Every_part_runs_once(int threads)
    {
        using var pool = new ComputePool(threads);
        int* counts = stackalloc int[1000];
        for (int parts = 0; parts < 1000; parts += 37)
        {
            new Span<int>(counts, 1000).Clear();
            var body = new CountBody { Counts = counts };
            pool.Run(parts, ref body);
            Assert.Equal(parts, new ReadOnlySpan<int>(counts, 1000).ToArray().Count(c => c == 1));
        }
    }

    [Fact]
    public async Task Regions_of_several_callers_queue()
    {
        using var pool = new ComputePool(3);
        int[] sums = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => Sum(pool))));
        Assert.All(sums, sum => Assert.Equal(200 * 64, sum));
    }

    [Fact]
    public unsafe void A_region_inside_a_region_runs_on_its_own_thread()
    {
        using var pool = new ComputePool(2);
        int total = 0;
        var body = new NestedBody { Pool = System.Runtime.InteropServices.GCHandle.Alloc(pool), Total = &total };
        pool.Run(8, ref body);
        body.Pool.Free();
        Assert.Equal(80, total);
    }

    [Fact]
    public void A_failing_part_fails_the_region_and_the_pool_lives_on()
    {
        using var pool = new ComputePool(2);
        var body = default(FailingBody);
        AggregateException error = Assert.Throws<AggregateException>(() => pool.Run(4, ref body));
        Assert.IsType<InvalidDataException>(error.InnerException);
        Assert.Equal(200 * 64, Sum(pool));
    }

    private static unsafe int Sum(ComputePool pool)
    {
        int total = 0;
        var body = new AddBody { Total = &total, Value = 1 };
        for (int i = 0; i < 200; i++)
        {
            pool.Run(64, ref body);
        }

        return total;
    }

    private unsafe struct CountBody : IParallelBody
    {
        internal int* Counts;

        public readonly void Invoke(int part) => Interlocked.Increment(ref Counts[part]);
    }

    private unsafe struct AddBody : IParallelBody
    {
        internal int* Total;
        internal int Value;

        public readonly void Invoke(int part) => Interlocked.Add(ref *Total, Value);
    }

    private unsafe struct NestedBody : IParallelBody
    {
        internal System.Runtime.InteropServices.GCHandle Pool;
        internal int* Total;

        public readonly void Invoke(int part)
        {
            var inner = new AddBody { Total = Total, Value = 1 };
            ((ComputePool)Pool.Target!).Run(10, ref inner);
        }
    }

    private readonly struct FailingBody : IParallelBody
    {
        public void Invoke(int part)
        {
            if (part == 3)
            {
                throw new InvalidDataException("part 3");
            }
        }
    }
}
