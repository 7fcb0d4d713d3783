using MmCluster.Engine.Simulation;
using MmCluster.Engine.Tests.Simulation;

namespace MmCluster.Engine.Tests.Scheduling;

/// <summary>What an engine tells of its times, in virtual time.</summary>
public sealed class TimingsTests
{
    [Fact]
    public void A_request_waits_until_its_first_step_and_steps_take_what_they_take()
    {
        var profile = new SimulationProfile { MaxSlots = 1, StepMilliseconds = 10, TokenMicroseconds = 0, ContextNanoseconds = 0 };
        var told = new Recorder();
        using EngineDriver driver = new(profile, new EngineOptions { MaxNumSeqs = 1, Timings = told });
        driver.Submit(Requests.Of("a", Requests.Prompt(20), 3));
        driver.Submit(Requests.Of("b", Requests.Prompt(30), 2));
        driver.RunToEnd();
        Assert.Equal([0, 30], told.Waited.Select(waited => waited.TotalMilliseconds));
        Assert.Equal(Enumerable.Repeat(10.0, 5), told.Took.Select(took => took.TotalMilliseconds));
        // Time without work is nobody's.
        driver.Time.Advance(TimeSpan.FromSeconds(5));
        driver.Submit(Requests.Of("c", Requests.Prompt(20), 1));
        driver.RunToEnd();
        Assert.Equal(0, told.Waited[^1].TotalMilliseconds);
        Assert.Equal(6 * 10, told.Took.Sum(took => took.TotalMilliseconds));
    }

    private sealed class Recorder : IStageTimings
    {
        public List<TimeSpan> Waited { get; } = [];

        public List<TimeSpan> Took { get; } = [];

        public void Began(TimeSpan waited) => Waited.Add(waited);

        public void Computed(TimeSpan took) => Took.Add(took);
    }
}
