using System.Globalization;
using MmCluster.Engine.Simulation;
using MmCluster.Tensors;

namespace MmCluster.Engine.Tests.Simulation;

/// <summary>
/// Random arrivals, lengths, cancels, preemptions, shards, steps ahead and failures: no block leaks and every output is what the model gives alone.
/// MM_SCHEDULE_CASES sets the number of cases (default 300).
/// </summary>
public sealed class RandomScheduleTests
{
    [Fact]
    public void Random_schedules_leak_nothing_and_change_no_output()
    {
        int cases = int.Parse(Environment.GetEnvironmentVariable("MM_SCHEDULE_CASES") ?? "300", CultureInfo.InvariantCulture);
        long preemptions = 0;
        long hits = 0;
        long failures = 0;
        long discarded = 0;
        for (int seed = 0; seed < cases; seed++)
        {
            try
            {
                using RandomSchedule schedule = new(seed);
                schedule.Run();
                preemptions += schedule.Driver.Core.Scheduler.Preemptions;
                hits += schedule.Driver.Core.Scheduler.Kv.CacheHits;
                discarded += schedule.Driver.Core.Statistics.DiscardedTokens;
                failures += schedule.Driver.Core.Statistics.FailedSteps;
            }
            catch (Exception error)
            {
                throw new InvalidOperationException($"schedule {seed}: {error.Message}", error);
            }
        }
        // Cases that never come near the limits would prove nothing.
        Assert.True(
            preemptions > cases / 2 && hits > cases && failures > cases / 10 && discarded > cases / 2,
            $"{preemptions} preemptions, {hits} hits, {failures} failures, {discarded} positions discarded");
    }
}

/// <summary>One random case.</summary>
internal sealed class RandomSchedule : IDisposable
{
    private readonly Random _random;
    private readonly SimulationProfile _profile;
    private readonly EngineOptions _options;
    private readonly List<EngineRequest> _requests = [];
    private readonly List<TaskCompletionSource<Tensor>> _media = [];
    private readonly HashSet<string> _cancelled = [];
    private readonly bool _failing;
    private FlakyExecutor _executor = null!;

    public RandomSchedule(int seed)
    {
        _random = new Random(seed);
        int seqs = _random.Next(1, 9);
        _profile = new SimulationProfile
        {
            VocabularySize = _random.Next(20, 200),
            MaxModelLength = _random.Next(40, 200),
            BlockCount = _random.Next(4, 28),
            MaxSlots = seqs,
            MaxBatchedTokens = 4096,
            PipelineDepth = _random.Next(3) == 0 ? _random.Next(2, 5) : 1,
            RunsAhead = _random.Next(2) == 0,
        };
        _options = new EngineOptions
        {
            MaxNumSeqs = seqs,
            MaxNumBatchedTokens = _random.Next(Math.Max(seqs, 20), 80),
            EnablePrefixCaching = _random.Next(4) > 0,
            SchedulingPolicy = _random.Next(2) == 0 ? SchedulingPolicy.Fcfs : SchedulingPolicy.Priority,
            SpeculativeTokens = _random.Next(3) == 0 ? _random.Next(1, 5) : 0,
            PromptLookupMin = 1,
            EosTokenIds = [0, 7],
            MaxReplays = 1000,
        };
        _failing = _random.Next(4) == 0;
        Driver = new EngineDriver(
            _profile, _options, executor => _executor = new FlakyExecutor((SimulatedExecutor)executor, _failing ? _random : null));
    }

    public EngineDriver Driver { get; }

    public void Run()
    {
        int arrivals = _random.Next(1, 25);
        int idle = 0;
        int rounds = 0;
        while (arrivals > 0 || idle < 3 || _media.Exists(media => !media.Task.IsCompleted))
        {
            Assert.True(rounds++ < 20_000, "no end");
            Assert.Null(_executor.Defect);
            if (arrivals > 0 && _random.Next(3) == 0)
            {
                arrivals--;
                Arrive();
            }
            if (_requests.Count > 0 && _random.Next(25) == 0)
            {
                string id = _requests[_random.Next(_requests.Count)].Id;
                _cancelled.Add(id);
                Driver.Cancel(id);
            }
            if (_media.Count > 0 && _random.Next(4) == 0)
            {
                _media[_random.Next(_media.Count)].TrySetResult(Feature);
            }
            idle = Driver.Step() ? 0 : idle + 1;
        }
        Check();
    }

    public void Dispose() => Driver.Dispose();

    private static Tensor Feature { get; } = Tensor.Zeros([1]);

    private void Arrive()
    {
        int id = _requests.Count;
        List<PromptPiece> pieces = [];
        int family = _random.Next(3);
        int length = _random.Next(1, 60);
        pieces.Add(new PromptPiece.Tokens(Requests.Prompt(length, family).Select(token => token % _profile.VocabularySize).ToArray()));
        for (int items = _random.Next(4) == 0 ? _random.Next(1, 3) : 0; items > 0; items--)
        {
            TaskCompletionSource<Tensor> features = new();
            if (_random.Next(2) == 0)
            {
                features.SetResult(Feature);
            }
            _media.Add(features);
            int key = _random.Next(3);
            pieces.Insert(_random.Next(pieces.Count + 1), new PromptPiece.Media(
                new MediaInput((UInt128)(ulong)key, 1 + (5 * key), 3, features.Task) { Bidirectional = key == 1 }));
        }
        if (_random.Next(2) == 0)
        {
            pieces.Add(new PromptPiece.Tokens(new[] { _random.Next(_profile.VocabularySize) }));
        }
        int total = pieces.Sum(piece => piece is PromptPiece.Media media ? media.Input.Length : ((PromptPiece.Tokens)piece).Ids.Length);
        if (total >= Driver.Core.MaxLength)
        {
            pieces = [new PromptPiece.Tokens(new[] { 1 })];
        }
        int max = _random.Next(1, 40);
        EngineRequest request = new()
        {
            Id = $"r{id}",
            Prompt = pieces,
            Tenant = $"t{_random.Next(2)}",
            Priority = _random.Next(3),
            Adapter = _random.Next(5) == 0 ? "lora" : null,
            Sampling = new SamplingParameters
            {
                MaxTokens = max,
                MinTokens = _random.Next(3) == 0 ? _random.Next(max + 1) : 0,
                IgnoreEos = _random.Next(2) == 0,
                Temperature = _random.Next(2),
                Seed = (ulong)_random.Next(3),
                Choices = _random.Next(4) == 0 ? _random.Next(2, 5) : 1,
            },
        };
        if (_random.Next(6) == 0)
        {
            request = Replayed(request);
        }
        _requests.Add(request);
        Driver.Submit(request);
    }

    private EngineRequest Replayed(EngineRequest request) => new()
    {
        Id = request.Id,
        Prompt = request.Prompt,
        Tenant = request.Tenant,
        Priority = request.Priority,
        Adapter = request.Adapter,
        Sampling = request.Sampling,
        Emitted = [.. Enumerable.Range(0, request.Sampling.Choices).Select(choice =>
        {
            List<int> whole = Reference(request, choice);
            return (ReadOnlyMemory<int>)whole.Take(_random.Next(whole.Count)).ToArray();
        })],
    };

    private List<int> Reference(EngineRequest request, int choice) =>
        ReferenceModel.Generate(request, choice, _options, _profile.VocabularySize, Driver.Core.MaxLength);

    private void Check()
    {
        Assert.Equal(0, Driver.Core.RequestCount);
        Assert.Equal(0, Driver.Core.Scheduler.RunningCount);
        Assert.Equal(0, Driver.Core.Scheduler.WaitingCount);
        Assert.Equal(_profile.BlockCount, Driver.Core.Scheduler.Kv.Pool.FreeCount);
        foreach (EngineRequest request in _requests)
        {
            for (int choice = 0; choice < request.Sampling.Choices; choice++)
            {
                Collected result = Driver.Results[(request.Id, choice)];
                List<int> expected = Reference(request, choice);
                int skipped = request.Emitted.Count > choice ? request.Emitted[choice].Length : 0;
                Assert.Equal(skipped, result.FirstNumber);
                expected = expected[skipped..];
                bool cut = result.Finish == FinishReason.Cancelled || (_failing && result.Finish == FinishReason.Error);
                Assert.True(!cut || result.Finish == FinishReason.Error || _cancelled.Contains(request.Id), $"{request.Id} was cut: {result.Finish}");
                Assert.True(cut || result.Finish is FinishReason.Stop or FinishReason.Length, $"{request.Id}: {result.Finish} {result.Error}");
                Assert.Equal(cut ? expected.Take(result.Tokens.Count) : expected, result.Tokens);
            }
        }
    }
}

/// <summary>Fails now and then, and has then dropped all slots, as the contract says.</summary>
internal sealed class FlakyExecutor(SimulatedExecutor inner, Random? random) : IModelExecutor
{
    /// <summary>What the model found wrong with a plan by itself.</summary>
    public Exception? Defect { get; private set; }

    public ExecutorDescription Describe() => inner.Describe();

    public void Execute(in StepPlan plan, StepResult result)
    {
        if (random?.Next(30) == 0)
        {
            inner.DropAll();
            throw new InvalidOperationException("the device has failed");
        }
        try
        {
            inner.Execute(plan, result);
        }
        catch (Exception error)
        {
            Defect ??= error;
            throw;
        }
    }

    public void Dispose() => inner.Dispose();
}
