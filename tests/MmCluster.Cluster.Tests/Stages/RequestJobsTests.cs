using System.Collections.Concurrent;
using MmCluster.Cluster.Stages;
using MmCluster.Cluster.TensorLink;
using MmCluster.Models;

namespace MmCluster.Cluster.Tests.Stages;

public sealed class RequestJobsTests : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);

    private readonly ManualTime _time = new();
    private readonly TensorLinkEndpoint _link = new(new TensorLinkOptions { ClusterSecret = "secret", SlabBytes = 1 << 20 }, TimeProvider.System);
    private readonly RequestJobs<Job> _jobs;
    private readonly Job _job = new();

    public RequestJobsTests()
    {
        _jobs = new RequestJobs<Job>(_link, _time);
        _jobs.Add("r", 0, _job, null);
    }

    public async ValueTask DisposeAsync()
    {
        await _jobs.DisposeAsync();
        await _link.DisposeAsync();
    }

    [Fact]
    public async Task What_is_made_in_the_moment_in_which_patience_ends_is_there_for_whoever_asks_again()
    {
        Assert.Null(await AskAsync(() => _job.Made.SetResult("features")));
        Assert.Equal("features", await _jobs.ResultAsync("r", 0, job => job.Made.Task, Patience));
    }

    [Fact]
    public async Task What_fails_in_the_moment_in_which_patience_ends_says_why()
    {
        MmException error = await Assert.ThrowsAsync<MmException>(() => AskAsync(() => _job.Made.SetException(new InvalidDataException("no picture"))));
        Assert.Equal((MmErrorCode.InvalidArgument, "no picture"), (error.Code, error.Message));
    }

    // Asks, lets the patience end, and has something happen before the asker hears of that.
    private Task<string?> AskAsync(Action meanwhile)
    {
        SynchronizationContext? before = SynchronizationContext.Current;
        Later later = new();
        SynchronizationContext.SetSynchronizationContext(later);
        try
        {
            Task<string?> asked = _jobs.ResultAsync("r", 0, job => job.Made.Task, Patience);
            SynchronizationContext.SetSynchronizationContext(before);
            _time.Advance(Patience);
            Assert.False(asked.IsCompleted);
            meanwhile();
            later.Run();
            return asked;
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    private sealed class Later : SynchronizationContext
    {
        private readonly BlockingCollection<Action> _posted = [];

        public override void Post(SendOrPostCallback d, object? state) => _posted.Add(() => d(state));

        /// <summary>Runs the first that is posted.</summary>
        public void Run() => _posted.Take(TestContext.Current.CancellationToken)();
    }

    private sealed class Job : IDisposable
    {
        public TaskCompletionSource<string> Made { get; } = new();

        public void Dispose()
        {
        }
    }
}
