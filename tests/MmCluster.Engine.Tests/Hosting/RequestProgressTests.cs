using System.Runtime.CompilerServices;
using System.Threading.Channels;
using MmCluster.Engine.Hosting;

namespace MmCluster.Engine.Tests.Hosting;

public sealed class RequestProgressTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_tells_of_each_item_then_that_the_prompt_is_complete_then_nothing_more()
    {
        TaskCompletionSource[] media = [new(), new()];
        var source = Channel.CreateUnbounded<SequenceOutput>();
        await using IAsyncEnumerator<SequenceOutput> told = Tell(media, source).GetAsyncEnumerator(Stop);
        Assert.Equal(new RequestProgress(RequestProgress.Encoding, 0, 2), await NextAsync(told));
        ValueTask<bool> next = told.MoveNextAsync();
        Assert.False(next.IsCompleted);
        media[1].SetResult();
        Assert.True(await next);
        Assert.Equal(new RequestProgress(RequestProgress.Encoding, 1, 2), told.Current.Progress);
        media[0].SetException(new InvalidOperationException("how it ended is told by the entries"));
        Assert.Equal(new RequestProgress(RequestProgress.Prefill, 0, 1), await NextAsync(told));
        SequenceOutput first = new("r", 0, 0, new[] { 7 }, "a", null);
        source.Writer.TryWrite(first);
        source.Writer.Complete();
        Assert.Null(await NextAsync(told));
        Assert.Equal(first, told.Current);
        Assert.False(await told.MoveNextAsync());
    }

    [Fact]
    public async Task Once_entries_come_nothing_else_is_told()
    {
        var source = Channel.CreateUnbounded<SequenceOutput>();
        source.Writer.TryWrite(new("r", 0, 0, new[] { 7 }, "a", FinishReason.Stop));
        source.Writer.Complete();
        List<SequenceOutput> told = [];
        await foreach (SequenceOutput entry in Tell([new()], source))
        {
            told.Add(entry);
        }
        Assert.Null(Assert.Single(told).Progress);
    }

    [Fact]
    public async Task Who_reads_no_further_stops_the_request()
    {
        TaskCompletionSource stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (IAsyncEnumerator<SequenceOutput> told = RequestProgress.TellAsync("r", [], EndlessAsync(stopped, CancellationToken.None), Stop).GetAsyncEnumerator(Stop))
        {
            Assert.Equal(RequestProgress.Prefill, (await NextAsync(told))?.Stage);
        }
        await stopped.Task.WaitAsync(Stop);
    }

    private static IAsyncEnumerable<SequenceOutput> Tell(TaskCompletionSource[] media, Channel<SequenceOutput> source) =>
        RequestProgress.TellAsync("r", [.. media.Select(item => item.Task)], source.Reader.ReadAllAsync(Stop), Stop);

    private static async Task<RequestProgress?> NextAsync(IAsyncEnumerator<SequenceOutput> told)
    {
        Assert.True(await told.MoveNextAsync());
        return told.Current.Progress;
    }

    private static async IAsyncEnumerable<SequenceOutput> EndlessAsync(TaskCompletionSource stopped, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        try
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            yield break;
        }
        finally
        {
            stopped.SetResult();
        }
    }
}
