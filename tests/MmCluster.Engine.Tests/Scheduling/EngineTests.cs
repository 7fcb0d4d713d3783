using MmCluster.Engine.Simulation;
using MmCluster.Engine.Tests.Simulation;
using MmCluster.Models;

namespace MmCluster.Engine.Tests.Scheduling;

public sealed class EngineTests
{
    private static readonly SimulationProfile Profile = new() { VocabularySize = 100, MaxModelLength = 200, BlockCount = 64, MaxSlots = 4 };

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Outputs_arrive_in_order_and_end_with_usage()
    {
        await using Engine engine = new(new SimulatedExecutor(Profile, new VirtualTime()), new EngineOptions { MaxNumSeqs = 4 });
        for (int i = 0; i < 10; i++)
        {
            engine.Submit(Requests.Of($"r{i}", Requests.Prompt(20, i), 12));
        }
        Dictionary<string, int> seen = [];
        int finished = 0;
        await foreach (StepOutputs step in engine.ReadSteps(Stop))
        {
            foreach (SequenceOutput output in step.Outputs)
            {
                Assert.Equal(seen.GetValueOrDefault(output.RequestId), output.SequenceNumber);
                seen[output.RequestId] = output.SequenceNumber + output.TokenIds.Length;
                if (output.Finish is not null)
                {
                    Assert.Equal(12, output.Usage!.CompletionTokens);
                    finished++;
                }
            }
            if (finished == 10)
            {
                break;
            }
        }
        Assert.All(seen.Values, count => Assert.Equal(12, count));
    }

    [Fact]
    public async Task Without_a_reader_the_engine_pauses_and_then_loses_nothing()
    {
        await using Engine engine = new(new SimulatedExecutor(Profile, new VirtualTime()), new EngineOptions { MaxNumSeqs = 4, OutputBuffer = 1 });
        engine.Submit(Requests.Of("a", Requests.Prompt(20), 50));
        int tokens = 0;
        await foreach (StepOutputs step in engine.ReadSteps(Stop))
        {
            tokens += step.Outputs[0].TokenIds.Length;
            if (step.Outputs[0].Finish is not null)
            {
                break;
            }
        }
        Assert.Equal(50, tokens);
    }

    [Fact]
    public async Task An_id_in_flight_is_refused_and_free_again_after_its_end()
    {
        await using Engine engine = new(new SimulatedExecutor(Profile, new VirtualTime()), new EngineOptions { MaxNumSeqs = 4, OutputBuffer = 1 });
        engine.Submit(Requests.Of("a", Requests.Prompt(20), 50));
        Assert.Equal(MmErrorCode.AlreadyExists, Assert.Throws<MmException>(() => engine.Submit(Requests.Of("a", [1], 1))).Code);
        engine.Cancel("a");
        await foreach (StepOutputs step in engine.ReadSteps(Stop))
        {
            if (step.Outputs[0].Finish is { } finish)
            {
                Assert.Equal(FinishReason.Cancelled, finish);
                break;
            }
        }
        engine.Submit(Requests.Of("a", [1], 1));
    }

    [Fact]
    public async Task A_full_queue_and_a_stopped_engine_refuse()
    {
        Engine engine = new(new SimulatedExecutor(Profile, new VirtualTime()), new EngineOptions { MaxNumSeqs = 4, MaxQueue = 1, OutputBuffer = 1 });
        engine.Submit(Requests.Of("a", Requests.Prompt(20), 100));
        Assert.Equal(MmErrorCode.ResourceExhausted, Assert.Throws<MmException>(() => engine.Submit(Requests.Of("b", [1], 1))).Code);
        await engine.DisposeAsync();
        Assert.Equal(MmErrorCode.Unavailable, Assert.Throws<MmException>(() => engine.Submit(Requests.Of("c", [1], 1))).Code);
    }

    [Fact]
    public async Task A_deadline_wakes_an_engine_that_waits_for_media()
    {
        VirtualTime time = new();
        await using Engine engine = new(new SimulatedExecutor(Profile, time), new EngineOptions { MaxNumSeqs = 4 }, time);
        TaskCompletionSource<MmCluster.Tensors.Tensor> never = new();
        engine.Submit(new EngineRequest
        {
            Id = "a",
            Prompt = [new PromptPiece.Media(new MediaInput(1, 4, 0, never.Task)), new PromptPiece.Tokens(new[] { 1 })],
            Sampling = new() { MaxTokens = 2 },
            Deadline = time.GetUtcNow() + TimeSpan.FromSeconds(5),
        });
        time.Advance(TimeSpan.FromSeconds(5));
        // Whether the thread looks before or after the clock moved, it must see the deadline.
        engine.Cancel("nobody");
        await foreach (StepOutputs step in engine.ReadSteps(Stop))
        {
            Assert.Equal(MmErrorCode.DeadlineExceeded, step.Outputs[0].Error!.Code);
            break;
        }
    }
}
