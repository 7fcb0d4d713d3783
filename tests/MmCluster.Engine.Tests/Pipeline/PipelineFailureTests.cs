using System.Buffers;
using System.Buffers.Binary;
using MmCluster.Engine.Pipeline;
using MmCluster.Engine.Tests.Cpu;
using MmCluster.Engine.Tests.Simulation;
using MmCluster.Models;
using MmCluster.Models.Backbones;
using MmCluster.Tensors;

namespace MmCluster.Engine.Tests.Pipeline;

/// <summary>What goes wrong in one shard ends the generation in all of them; requests replay and give what they would have.</summary>
public sealed class PipelineFailureTests : IDisposable
{
    private readonly TinyFolder _folder = TinyFolder.Llama();
    private readonly ShardedModel _model;

    public PipelineFailureTests() => _model = new ShardedModel(_folder.Path, 3);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void A_step_that_fails_on_one_shard_is_replayed(int failing)
    {
        Dictionary<(string, int), List<int>> expected = Run(shards => shards);
        Dictionary<(string, int), List<int>> got = Run(shards =>
        {
            shards[failing] = new FailingShard(shards[failing], at: 7);
            return shards;
        }, failures: 1);
        Assert.Equal(expected.Keys.Order(), got.Keys.Order());
        Assert.All(expected, pair => Assert.Equal(pair.Value, got[pair.Key]));
    }

    [Fact]
    public void A_dead_shard_ends_every_request_with_unavailable()
    {
        PipelineExecutor executor = LocalPipeline.Create(_model.Shards(512));
        using EngineDriver driver = new(executor, Options);
        Submit(driver);
        for (int i = 0; i < 5; i++)
        {
            driver.Step();
        }
        executor.Break();
        driver.RunToEnd();
        Assert.All(driver.Results.Values, result => Assert.Equal(MmErrorCode.Unavailable, result.Error?.Code));
        Assert.Equal(512, driver.Core.Scheduler.Kv.Pool.FreeCount);
    }

    [Fact]
    public async Task A_worker_whose_channel_closes_closes_the_other_and_frees_its_shard()
    {
        LocalShardChannel input = new(2, 4, 48);
        LocalShardChannel output = new(2, 0, 0);
        FailingShard shard = new(_model.Shards(16)[2], at: -1);
        ShardWorker worker = new(shard, input, output);
        input.Dispose();
        MmException error = await Assert.ThrowsAsync<MmException>(() => worker.Ended);
        Assert.Equal(MmErrorCode.Unavailable, error.Code);
        Assert.True(shard.Disposed);
        Assert.Equal(MmErrorCode.Unavailable, Assert.Throws<MmException>(() => output.Receive()).Code);
    }

    [Theory]
    [InlineData("order", "came where step 0 was due")]
    [InlineData("rows", "rows for chunks of 0")]
    [InlineData("end", "ends")]
    [InlineData("block", "does not fit")]
    public async Task A_step_that_makes_no_sense_fails_its_generation_and_the_next_one_is_served(string fault, string message)
    {
        LocalShardChannel input = new(2, 4, 48);
        LocalShardChannel output = new(2, 0, 0);
        ShardWorker worker = new(_model.Shards(16)[2], input, output);
        Send(input, Message(0, fault == "order" ? 1 : 0, fault), fault == "rows" ? 3 : 0);
        Assert.Contains(message, TakeFailure(output), StringComparison.Ordinal);
        Send(input, Message(0, 1, ""), 0); // of a generation that is over
        Send(input, Message(1, 3, ""), 0); // out of order again, so that there is an answer
        Assert.Contains("came where step 0 was due", TakeFailure(output), StringComparison.Ordinal);
        worker.Dispose();
        await Assert.ThrowsAsync<MmException>(() => worker.Ended);
    }

    [Fact]
    public async Task A_message_without_a_known_head_breaks_the_channel()
    {
        LocalShardChannel input = new(2, 4, 48);
        LocalShardChannel output = new(2, 0, 0);
        ShardWorker worker = new(_model.Shards(16)[2], input, output);
        Send(input, [9, 9, 9, 9, 9, 9, 9, 9], 0);
        await Assert.ThrowsAsync<InvalidDataException>(() => worker.Ended);
        Assert.Throws<MmException>(() => output.Receive());
    }

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    private static EngineOptions Options => new() { MaxNumSeqs = 8, MaxNumBatchedTokens = 64 };

    private static void Submit(EngineDriver driver)
    {
        for (int i = 0; i < 5; i++)
        {
            driver.Submit(Requests.Of($"r{i}", Requests.Prompt(10 + (7 * i), i), 12 + i, sampling => sampling with { IgnoreEos = true, Seed = (ulong)i }));
        }
    }

    private Dictionary<(string, int), List<int>> Run(Func<IModelShard[], IModelShard[]> change, int failures = 0)
    {
        using EngineDriver driver = new(LocalPipeline.Create(change([.. _model.Shards(512)])), Options);
        Submit(driver);
        driver.RunToEnd();
        Assert.Equal(failures, driver.Core.Statistics.FailedSteps);
        Assert.All(driver.Results.Values, result => Assert.Equal(FinishReason.Length, result.Finish));
        return driver.Results.ToDictionary(pair => pair.Key, pair => pair.Value.Tokens);
    }

    // An empty plan, or one with a chunk that names blocks that are not there.
    private static byte[] Message(long generation, long number, string fault)
    {
        ArrayBufferWriter<byte> message = new();
        Ints(message, 1, 1);
        Longs(message, generation, number, 42);
        Ints(message, 0, 0);
        if (fault == "block")
        {
            Ints(message, 1, 0, 0, 1, 5, 1, 0, 0, 0, -1);
        }
        else
        {
            Ints(message, 0);
        }
        Ints(message, 0, 0, 0, 0, 0);
        return fault == "end" ? message.WrittenSpan[..^4].ToArray() : message.WrittenSpan.ToArray();
    }

    private static void Ints(ArrayBufferWriter<byte> target, params ReadOnlySpan<int> values)
    {
        foreach (int value in values)
        {
            BinaryPrimitives.WriteInt32LittleEndian(target.GetSpan(4), value);
            target.Advance(4);
        }
    }

    private static void Longs(ArrayBufferWriter<byte> target, params ReadOnlySpan<long> values)
    {
        foreach (long value in values)
        {
            BinaryPrimitives.WriteInt64LittleEndian(target.GetSpan(8), value);
            target.Advance(8);
        }
    }

    private static void Send(LocalShardChannel channel, byte[] message, int rows)
    {
        ShardFrame frame = channel.Begin();
        frame.Header.Write(message);
        frame.RowCount = rows;
        channel.Send();
    }

    private static string TakeFailure(LocalShardChannel channel)
    {
        ReadOnlySpan<byte> message = channel.Receive().Header.WrittenSpan;
        Assert.Equal(3, BinaryPrimitives.ReadInt32LittleEndian(message[4..])); // a failure
        int length = BinaryPrimitives.ReadInt32LittleEndian(message[28..]);
        string text = System.Text.Encoding.UTF8.GetString(message.Slice(32, length));
        channel.Release();
        return text;
    }

    /// <summary>Throws behind one step, as a device does whose results are lost.</summary>
    private sealed class FailingShard(IModelShard inner, long at) : IModelShard
    {
        public bool Disposed { get; private set; }

        public BackboneSpec Spec => inner.Spec;

        public ExecutorDescription Describe() => inner.Describe();

        public void Run(in StepPlan plan, Tensor? input, Tensor? output, StepResult result)
        {
            inner.Run(plan, input, output, result);
            if (plan.Step == at)
            {
                throw new InvalidOperationException("the device has failed");
            }
        }

        public void Append(StepResult sampled) => inner.Append(sampled);

        public void Reset() => inner.Reset();

        public void Dispose()
        {
            Disposed = true;
            inner.Dispose();
        }
    }
}
