namespace MmCluster.Tensors.Tests.Distributed;

/// <summary>Ranks as threads: what torch.distributed promises, and sums in the order of the ranks.</summary>
public sealed class ProcessGroupTests
{
    [Theory]
    [InlineData(1, 5)]
    [InlineData(2, 1)] // fewer elements than ranks
    [InlineData(2, 1000)]
    [InlineData(3, 1001)]
    [InlineData(4, 4096)]
    public void All_ranks_get_the_sum_in_the_order_of_the_ranks(int ranks, int count)
    {
        float[][] parts = [.. Enumerable.Range(0, ranks).Select(rank => Values(count, rank))];
        float[] expected = parts[0];
        foreach (float[] part in parts[1..])
        {
            expected = [.. expected.Zip(part, (a, b) => a + b)];
        }
        float[][] got = Run(ranks, group =>
        {
            using Tensor x = Tensor.From<float>(parts[group.Rank], [count]);
            group.AllReduce(x);
            return x.ToArray<float>();
        });
        Assert.All(got, sum => Assert.Equal(expected, sum)); // bit for bit
    }

    [Fact]
    public void Gathered_rows_stand_in_the_order_of_the_ranks()
    {
        float[][] got = Run(3, group =>
        {
            using Tensor x = Tensor.From<float>(Values(4, group.Rank), [2, 2]);
            using Tensor all = Tensor.Empty([3, 2, 2]);
            group.AllGather(x, all);
            return all.ToArray<float>();
        });
        Assert.All(got, all => Assert.Equal([.. Values(4, 0), .. Values(4, 1), .. Values(4, 2)], all));
    }

    [Fact]
    public void Operations_follow_each_other_without_mixing()
    {
        float[][] got = Run(4, group =>
        {
            using Tensor x = Tensor.Ones([37]);
            for (int i = 0; i < 200; i++)
            {
                group.AllReduce(x);
                using Tensor scaled = x * 0.25f;
                x.CopyFrom(scaled);
            }
            return x.ToArray<float>();
        });
        Assert.All(got, x => Assert.All(x, value => Assert.Equal(1, value)));
    }

    [Fact]
    public void Ranks_with_other_shapes_are_told()
    {
        Exception?[] got = Run(2, group =>
        {
            using Tensor x = Tensor.Ones([3 + group.Rank]);
            return Record.Exception(() => group.AllReduce(x));
        });
        Assert.All(got, error => Assert.Equal("all_reduce: rank 0 has F32 [3] on cpu, rank 1 has F32 [4] on cpu", Assert.IsType<CollectiveException>(error).Message));
    }

    [Fact]
    public void An_abort_ends_who_waits_and_a_restored_group_works_again()
    {
        IReadOnlyList<ProcessGroup> groups = ProcessGroup.Create(Device.Cpu, 2);
        Exception? seen = null;
        Thread waiting = new(() =>
        {
            using Tensor x = Tensor.Ones([4]);
            seen = Record.Exception(() => groups[1].AllReduce(x));
        });
        waiting.Start();
        groups[0].Abort(new InvalidOperationException("no way on"));
        waiting.Join();
        Assert.True(Assert.IsType<CollectiveException>(seen).IsAborted);
        Assert.All(groups, group => group.Restore());
        Assert.All(Run(groups, Sum), sum => Assert.Equal(2, sum));

        static float Sum(ProcessGroup group)
        {
            using Tensor x = Tensor.Ones([1]);
            group.AllReduce(x);
            return x.ToArray<float>()[0];
        }
    }

    internal static T[] Run<T>(int ranks, Func<ProcessGroup, T> work)
    {
        IReadOnlyList<ProcessGroup> groups = ProcessGroup.Create(Device.Cpu, ranks);
        T[] results = Run(groups, work);
        ProcessGroup.Close(groups);
        return results;
    }

    /// <summary>Does work for all ranks, each on a thread of its own.</summary>
    internal static T[] Run<T>(IReadOnlyList<ProcessGroup> groups, Func<ProcessGroup, T> work)
    {
        T[] results = new T[groups.Count];
        Exception? failure = null;
        Thread[] threads = [.. groups.Select(group => new Thread(() =>
        {
            try
            {
                results[group.Rank] = work(group);
            }
            catch (Exception error)
            {
                failure = error;
                group.Abort(error);
            }
        }))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.Null(failure);
        return results;
    }

    private static float[] Values(int count, int rank) => [.. Enumerable.Range(0, count).Select(i => MathF.Sin((i * 1.7f) + (rank * 11.3f)) * MathF.Pow(10, i % 7))];
}
