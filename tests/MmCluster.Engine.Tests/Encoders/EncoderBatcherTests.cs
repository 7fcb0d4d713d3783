using MmCluster.Engine.Encoders;
using MmCluster.Tensors;

namespace MmCluster.Engine.Tests.Encoders;

public sealed class EncoderBatcherTests
{
    private readonly List<int> _batches = [];

    [Fact]
    public async Task An_item_is_encoded_once_while_in_flight_and_while_cached()
    {
        await using EncoderBatcher batcher = new(Double, new EncoderOptions());
        TaskCompletionSource<EncoderInput> input = new();
        using EncoderLease first = batcher.Get(1, _ => input.Task);
        using EncoderLease second = batcher.Get(1, _ => throw new InvalidOperationException("prepared twice"));
        input.SetResult(Input(3));
        Assert.Equal(6, (await first.Features).AsReadOnlySpan<float>()[0]);
        Assert.Same(await first.Features, await second.Features);
        first.Dispose();
        second.Dispose();
        using EncoderLease third = batcher.Get(1, _ => throw new InvalidOperationException("prepared twice"));
        Assert.Equal(6, (await third.Features).AsReadOnlySpan<float>()[0]);
        Assert.Equal((3, 2), (batcher.Queries, batcher.Hits));
    }

    [Fact]
    public async Task Items_that_wait_together_go_together_up_to_the_cost()
    {
        using ManualResetEventSlim begin = new();
        await using EncoderBatcher batcher = new(input =>
        {
            begin.Wait();
            return Double(input);
        }, new EncoderOptions { MaxBatchCost = 20 });
        EncoderLease blocker = batcher.Get(99, _ => Task.FromResult(Input(0)));
        EncoderLease[] leases = [.. Enumerable.Range(1, 5).Select(i => batcher.Get((UInt128)i, _ => Task.FromResult(Input(i))))];
        begin.Set();
        for (int i = 0; i < leases.Length; i++)
        {
            Assert.Equal(2 * (i + 1), (await leases[i].Features).AsReadOnlySpan<float>()[0]);
        }
        await blocker.Features;
        // Whether the blocker went alone or with others depends on the thread; no batch is above the cost of 2 items.
        Assert.All(_batches, size => Assert.InRange(size, 1, 2));
        Assert.True(_batches.Count <= 4);
    }

    [Fact]
    public async Task A_bad_item_fails_alone_and_is_tried_again_later()
    {
        await using EncoderBatcher batcher = new(input =>
            input.AsReadOnlySpan<float>().Contains(-1) ? throw new InvalidDataException("bad") : Double(input), new EncoderOptions());
        EncoderLease bad = batcher.Get(1, _ => Task.FromResult(Input(-1)));
        EncoderLease good = batcher.Get(2, _ => Task.FromResult(Input(2)));
        await Assert.ThrowsAsync<InvalidDataException>(() => bad.Features);
        Assert.Equal(4, (await good.Features).AsReadOnlySpan<float>()[0]);
        bad.Dispose();
        using EncoderLease again = batcher.Get(1, _ => Task.FromResult(Input(5)));
        Assert.Equal(10, (await again.Features).AsReadOnlySpan<float>()[0]);
    }

    [Fact]
    public async Task The_cache_keeps_its_limit_and_never_frees_what_is_held()
    {
        // One item's features take 4 floats.
        await using EncoderBatcher batcher = new(Double, new EncoderOptions { CacheBytes = 32 });
        EncoderLease held = batcher.Get(1, _ => Task.FromResult(Input(1)));
        Tensor features = await held.Features;
        for (int i = 2; i < 8; i++)
        {
            using EncoderLease lease = batcher.Get((UInt128)i, _ => Task.FromResult(Input(i)));
            await lease.Features;
        }
        Assert.Equal(32, batcher.IdleBytes);
        Assert.Equal(2, features.AsReadOnlySpan<float>()[0]);
        held.Dispose();
        Assert.Equal(32, batcher.IdleBytes);
    }

    [Fact]
    public async Task Work_that_nobody_waits_for_is_stopped_and_begins_anew_on_demand()
    {
        await using EncoderBatcher batcher = new(Double, new EncoderOptions());
        TaskCompletionSource<EncoderInput> input = new();
        CancellationToken seen = default;
        EncoderLease lease = batcher.Get(1, stop =>
        {
            seen = stop;
            return input.Task;
        });
        lease.Dispose();
        Assert.True(seen.IsCancellationRequested);
        using EncoderLease second = batcher.Get(1, _ => Task.FromResult(Input(4)));
        input.SetResult(Input(1));
        Assert.Equal(8, (await second.Features).AsReadOnlySpan<float>()[0]);
    }

    [Fact]
    public async Task A_shape_goes_with_its_like_only()
    {
        using ManualResetEventSlim begin = new();
        await using EncoderBatcher batcher = new(input =>
        {
            begin.Wait();
            return Double(input);
        }, new EncoderOptions());
        EncoderLease[] leases =
        [
            batcher.Get(1, _ => Task.FromResult(Input(1))),
            batcher.Get(2, _ => Task.FromResult(Input(2, 3))),
            batcher.Get(3, _ => Task.FromResult(Input(3))),
            batcher.Get(4, _ => Task.FromResult(Input(4, 3))),
        ];
        begin.Set();
        foreach (EncoderLease lease in leases)
        {
            await lease.Features;
        }
        Assert.Equal(3, (await leases[1].Features).Size(0));
    }

    private static EncoderInput Input(float value, int rows = 2) => new([.. Enumerable.Repeat(value, rows * 2)], [rows, 2], 10);

    private Tensor Double(Tensor input)
    {
        lock (_batches)
        {
            _batches.Add(input.Size(0));
        }
        return input * 2;
    }
}
