using MmCluster.Engine.Simulation;
using MmCluster.Engine.Tests.Simulation;
using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Engine.Tests.Scheduling;

public sealed class EngineCoreTests
{
    private static readonly SimulationProfile Profile = new()
    {
        VocabularySize = 1000,
        MaxModelLength = 512,
        BlockCount = 64,
        MaxSlots = 8,
        StepMilliseconds = 1,
        TokenMicroseconds = 0,
        ContextNanoseconds = 0,
    };

    private static readonly EngineOptions Options = new() { MaxNumSeqs = 8, MaxNumBatchedTokens = 64 };

    [Fact]
    public void The_second_request_with_a_prompt_computes_its_last_block_only()
    {
        using EngineDriver driver = new(Profile, Options);
        driver.Submit(Requests.Of("a", Requests.Prompt(100), 4));
        driver.RunToEnd();
        long before = driver.Core.Statistics.ComputedTokens;
        driver.Submit(Requests.Of("b", Requests.Prompt(100), 4));
        driver.RunToEnd();
        Assert.Equal(100 - 96 + 3, driver.Core.Statistics.ComputedTokens - before);
        Assert.Equal(new Usage(100, 96, 4), driver.Results[("b", 0)].Usage);
        Assert.Equal(driver.Results[("a", 0)].Tokens, driver.Results[("b", 0)].Tokens);
    }

    [Fact]
    public void A_prompt_of_whole_blocks_still_computes_its_last_token()
    {
        using EngineDriver driver = new(Profile, Options);
        driver.Submit(Requests.Of("a", Requests.Prompt(96), 1));
        driver.RunToEnd();
        driver.Submit(Requests.Of("b", Requests.Prompt(96), 1));
        driver.RunToEnd();
        Assert.Equal(80, driver.Results[("b", 0)].Usage!.CachedTokens);
    }

    [Fact]
    public void Tenants_and_salts_do_not_share_blocks()
    {
        using EngineDriver driver = new(Profile, Options);
        driver.Submit(Requests.Of("a", Requests.Prompt(100), 1));
        driver.RunToEnd();
        EngineRequest other = new() { Id = "b", Prompt = Requests.Of("", Requests.Prompt(100), 1).Prompt, Sampling = new() { MaxTokens = 1 }, Tenant = "t" };
        driver.Submit(other);
        driver.RunToEnd();
        Assert.Equal(0, driver.Results[("b", 0)].Usage!.CachedTokens);
    }

    [Fact]
    public void Choices_share_the_prompt_and_draw_their_own_tokens()
    {
        using EngineDriver driver = new(Profile, Options);
        driver.Submit(Requests.Of("a", Requests.Prompt(40), 5, sampling => sampling with { Choices = 3, Temperature = 1 }));
        driver.RunToEnd();
        // One prompt, its last token again for two choices, and four more of the five outputs of each.
        Assert.Equal(40 + 2 + (3 * 4), driver.Core.Statistics.ComputedTokens);
        Assert.Equal(3, driver.Results.Values.Select(result => string.Join(',', result.Tokens)).Distinct().Count());
    }

    [Fact]
    public void Text_before_an_image_is_computed_while_the_image_is_encoded()
    {
        using EngineDriver driver = new(Profile, Options);
        TaskCompletionSource<Tensor> features = new();
        driver.Submit(new EngineRequest
        {
            Id = "a",
            Prompt =
            [
                new PromptPiece.Tokens(Requests.Prompt(20)),
                new PromptPiece.Media(new MediaInput(9, 10, 1, features.Task)),
                new PromptPiece.Tokens(Requests.Prompt(5)),
            ],
            Sampling = new() { MaxTokens = 2 },
        });
        driver.RunToEnd();
        Assert.Equal(20, driver.Core.Statistics.ComputedTokens);
        features.SetResult(Tensor.Zeros([1]));
        driver.RunToEnd();
        Assert.Equal(FinishReason.Length, driver.Results[("a", 0)].Finish);
    }

    [Fact]
    public void A_failed_encoder_fails_its_request_alone()
    {
        using EngineDriver driver = new(Profile, Options);
        TaskCompletionSource<Tensor> features = new();
        driver.Submit(new EngineRequest
        {
            Id = "a",
            Prompt = [new PromptPiece.Media(new MediaInput(9, 10, 1, features.Task)), new PromptPiece.Tokens(Requests.Prompt(5))],
            Sampling = new() { MaxTokens = 2 },
        });
        driver.Submit(Requests.Of("b", Requests.Prompt(5), 2));
        features.SetException(new InvalidDataException("the picture is broken"));
        driver.RunToEnd();
        Assert.Equal(MmErrorCode.InvalidArgument, driver.Results[("a", 0)].Error!.Code);
        Assert.Equal(FinishReason.Length, driver.Results[("b", 0)].Finish);
    }

    [Fact]
    public void A_request_that_ended_waits_for_no_deadline()
    {
        using EngineDriver driver = new(Profile, Options);
        driver.Submit(new EngineRequest
        {
            Id = "a",
            Prompt = Requests.Of("", Requests.Prompt(10), 1).Prompt,
            Sampling = new() { MaxTokens = 2 },
            Deadline = driver.Time.GetUtcNow() + TimeSpan.FromHours(1),
        });
        Assert.NotNull(driver.Core.NextDeadline());
        driver.RunToEnd();
        Assert.Equal(FinishReason.Length, driver.Results[("a", 0)].Finish);
        Assert.Null(driver.Core.NextDeadline());
    }

    [Fact]
    public void A_deadline_ends_a_request_at_its_time()
    {
        using EngineDriver driver = new(Profile, Options);
        EngineRequest request = new()
        {
            Id = "a",
            Prompt = [new PromptPiece.Tokens(new[] { 1 })],
            Sampling = new() { MaxTokens = 100 },
            Deadline = driver.Time.GetUtcNow() + TimeSpan.FromMilliseconds(10),
        };
        driver.Submit(request);
        driver.RunToEnd();
        Assert.Equal(10, driver.Results[("a", 0)].Tokens.Count);
        Assert.Equal((FinishReason.Cancelled, MmErrorCode.DeadlineExceeded), (driver.Results[("a", 0)].Finish!.Value, driver.Results[("a", 0)].Error!.Code));
    }

    [Fact]
    public void A_lower_priority_value_starts_first_and_equal_ones_in_order()
    {
        using EngineDriver driver = new(Profile with { MaxSlots = 1 }, Options with { MaxNumSeqs = 1 });
        foreach ((string id, int priority) in new[] { ("a", 5), ("b", 1), ("c", 1) })
        {
            EngineRequest request = Requests.Of(id, [1, 2], 3);
            driver.Submit(new EngineRequest { Id = id, Prompt = request.Prompt, Sampling = request.Sampling, Priority = priority });
        }
        List<string> order = [];
        while (driver.Step())
        {
            order.AddRange(driver.Results.Where(result => result.Value.Finish is not null).Select(result => result.Key.Id).Except(order));
        }
        Assert.Equal(["b", "c", "a"], order);
    }

    [Fact]
    public void A_tenant_with_many_requests_does_not_keep_another_from_its_share()
    {
        using EngineDriver driver = new(Profile with { MaxSlots = 1 }, Options with { MaxNumSeqs = 1 });
        for (int i = 0; i < 20; i++)
        {
            driver.Submit(new EngineRequest
            {
                Id = $"busy{i}",
                Prompt = [new PromptPiece.Tokens(Requests.Prompt(10, i))],
                Sampling = new() { MaxTokens = 10 },
                Tenant = "busy",
            });
        }
        for (int i = 0; i < 3; i++)
        {
            driver.Submit(new EngineRequest
            {
                Id = $"rare{i}",
                Prompt = [new PromptPiece.Tokens(Requests.Prompt(10, 50 + i))],
                Sampling = new() { MaxTokens = 10 },
                Tenant = "rare",
            });
        }
        List<string> order = [];
        while (driver.Step())
        {
            order.AddRange(driver.Results.Where(result => result.Value.Finish is not null).Select(result => result.Key.Id).Except(order));
        }
        Assert.Equal(["busy0", "rare0", "busy1", "rare1", "busy2", "rare2", "busy3"], order.Take(7));
    }

    [Fact]
    public void A_request_that_breaks_each_step_it_is_in_fails_alone()
    {
        using EngineDriver driver = new(Profile, Options, inner => new PoisonedExecutor((SimulatedExecutor)inner, poison: 666));
        driver.Submit(Requests.Of("good1", Requests.Prompt(30), 20));
        driver.Submit(Requests.Of("bad", [1, 666, 3], 20));
        driver.Submit(Requests.Of("good2", Requests.Prompt(50, 3), 20));
        driver.RunToEnd();
        Assert.Equal(MmErrorCode.Internal, driver.Results[("bad", 0)].Error!.Code);
        foreach (string id in new[] { "good1", "good2" })
        {
            Assert.Equal(20, driver.Results[(id, 0)].Tokens.Count);
            Assert.Equal(FinishReason.Length, driver.Results[(id, 0)].Finish);
        }
        Assert.Equal(2, driver.Core.Statistics.FailedSteps);
    }

    [Fact]
    public void A_token_that_cannot_be_decoded_ends_its_request_alone()
    {
        using EngineDriver driver = new(Profile, Options with { Vocabulary = new BrokenVocabulary() });
        for (int i = 0; i < 8; i++)
        {
            driver.Submit(Requests.Of($"r{i}", Requests.Prompt(30, i), 40));
        }
        driver.RunToEnd();
        // About one token in a hundred is broken.
        Assert.Contains(driver.Results.Values, result => result.Finish == FinishReason.Error && result.Error!.Code == MmErrorCode.Internal);
        Assert.Contains(driver.Results.Values, result => result.Finish == FinishReason.Length && result.Tokens.Count == 40);
        Assert.Equal(Profile.BlockCount, driver.Core.Scheduler.Kv.Pool.FreeCount);
    }

    [Fact]
    public void A_device_that_never_recovers_ends_all_requests()
    {
        using EngineDriver driver = new(Profile, Options, inner => new PoisonedExecutor((SimulatedExecutor)inner, poison: 1));
        driver.Submit(Requests.Of("a", [1], 20));
        driver.Submit(Requests.Of("b", [1, 2], 20));
        driver.RunToEnd();
        Assert.All(driver.Results.Values, result => Assert.Equal(FinishReason.Error, result.Finish));
        Assert.Equal(Profile.BlockCount, driver.Core.Scheduler.Kv.Pool.FreeCount);
    }

    [Theory]
    [InlineData("temperature")]
    [InlineData("top_p")]
    [InlineData("stop_token_ids")]
    [InlineData("stop")]
    [InlineData("prompt")]
    [InlineData("n")]
    public void A_bad_parameter_is_named(string param)
    {
        using EngineDriver driver = new(Profile, Options);
        EngineRequest request = Requests.Of("a", param == "prompt" ? [1000] : [1], 20, sampling => param switch
        {
            "temperature" => sampling with { Temperature = float.NaN },
            "top_p" => sampling with { TopP = 0 },
            "stop_token_ids" => sampling with { StopTokenIds = [-1] },
            "stop" => sampling with { Stop = ["there is no tokenizer"] },
            "n" => sampling with { Choices = 1_000_000 },
            _ => sampling,
        });
        MmException error = Assert.Throws<MmException>(() => driver.Submit(request));
        Assert.Equal((MmErrorCode.InvalidArgument, param), (error.Code, error.Param));
    }

    [Fact]
    public void Drafts_from_the_prompt_save_steps_and_change_nothing()
    {
        // A vocabulary of two makes the model repeat itself.
        SimulationProfile profile = Profile with { VocabularySize = 2 };
        using EngineDriver plain = new(profile, Options);
        using EngineDriver drafting = new(profile, Options with { SpeculativeTokens = 4, PromptLookupMin = 1 });
        foreach (EngineDriver driver in new[] { plain, drafting })
        {
            driver.Submit(Requests.Of("a", [0, 1, 0, 1], 100));
            driver.RunToEnd();
        }
        Assert.Equal(plain.Results[("a", 0)].Tokens, drafting.Results[("a", 0)].Tokens);
        Assert.True(drafting.Core.Statistics.Steps < 0.8 * plain.Core.Statistics.Steps);
    }

    private sealed class BrokenVocabulary : IVocabulary
    {
        public int Count => 1000;

        public ITokenDecoder CreateDecoder(bool skipSpecialTokens) => new Decoder();

        public ReadOnlyMemory<byte> BytesOf(int token) => default;

        private sealed class Decoder : ITokenDecoder
        {
            public string Push(int token) => token % 100 == 7 ? throw new InvalidOperationException("no such token") : "a";

            public string Finish() => "";
        }
    }

    /// <summary>Throws for each plan that starts a slot with a certain token.</summary>
    private sealed class PoisonedExecutor(SimulatedExecutor inner, int poison) : IModelExecutor
    {
        public ExecutorDescription Describe() => inner.Describe();

        public void Execute(in StepPlan plan, StepResult result)
        {
            foreach (SlotStart start in plan.Starts.Span)
            {
                if (start.Tokens.Span.Contains(poison))
                {
                    inner.DropAll();
                    throw new InvalidOperationException("this token breaks the device");
                }
            }
            inner.Execute(plan, result);
        }

        public void Dispose() => inner.Dispose();
    }
}
