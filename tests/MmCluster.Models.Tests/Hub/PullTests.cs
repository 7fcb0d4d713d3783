using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using MmCluster.Models.Hub;

namespace MmCluster.Models.Tests.Hub;

public sealed class PullTests : HubTests
{
    [Fact]
    public async Task A_model_is_fetched_checked_and_listed()
    {
        Server.Add("config.json", "{}"u8.ToArray());
        Server.Add("empty.txt", []);
        Server.Add("sub/a b#1.json", HubServer.Noise(3000, 1));
        Server.Add("model.safetensors", HubServer.Noise(3_000_000, 2), large: true);
        var reports = new Reports();
        PullResult result = await PullAsync(progress: reports);
        AssertHas("config.json", "empty.txt", "sub/a b#1.json", "model.safetensors");
        Assert.Equal(new PullResult(Folder, HubServer.Commit, 4, 3_003_002), result);
        PullProgress last = reports.Seen.MaxBy(report => report.FilesDone);
        Assert.Equal((3_003_002, 3_003_002, 4, 4), (last.Done, last.Total, last.FilesDone, last.Files));
        StoredModel model = Assert.Single(Store.List());
        Assert.Equal((Id, HubServer.Commit, true, 3_003_002), (model.Id, model.Commit, model.IsComplete, model.Bytes));
    }

    [Fact]
    public async Task What_is_there_already_is_not_fetched_again_and_what_was_damaged_is()
    {
        Server.Add("config.json", "{}"u8.ToArray());
        Server.Add("model.safetensors", HubServer.Noise(5000, 2), large: true);
        await PullAsync();
        Assert.Equal(0, (await PullAsync()).BytesFetched);
        File.WriteAllText(Path.Combine(Folder, "config.json"), "{ }");
        Assert.Equal(2, (await PullAsync()).BytesFetched);
        AssertHas("config.json", "model.safetensors");
    }

    [Fact]
    public async Task Files_put_there_by_hand_are_kept_if_their_digest_is_right()
    {
        Server.Add("model.safetensors", HubServer.Noise(5000, 2), large: true);
        Directory.CreateDirectory(Folder);
        File.WriteAllBytes(Path.Combine(Folder, "model.safetensors"), Server.Bytes("model.safetensors"));
        Assert.Equal(0, (await PullAsync()).BytesFetched);
    }

    [Fact]
    public async Task A_broken_transfer_goes_on_where_it_broke()
    {
        byte[] bytes = HubServer.Noise(1_000_000, 3);
        Server.Add("model.safetensors", bytes, large: true);
        int breaks = 0;
        Server.Intercept = async (context, role) =>
        {
            if (role != "content" || breaks++ >= 5) // more breaks than attempts: each one brings something
            {
                return false;
            }
            int from = context.Request.Headers.Range.Count == 0 ? 0 : int.Parse(context.Request.Headers.Range.ToString()[6..^1]);
            await SendPartAsync(context, bytes, from, 100_000);
            return true;
        };
        PullResult result = await PullAsync();
        AssertHas("model.safetensors");
        Assert.Equal(1_000_000, result.BytesFetched);
        Assert.Contains("content GET /model.safetensors bytes=500000-", Server.Requests);
    }

    [Fact]
    public async Task A_cancelled_pull_is_continued_by_the_next_one()
    {
        Server.Add("model.safetensors", HubServer.Noise(800_000, 4), large: true);
        using var stop = new CancellationTokenSource();
        var reports = new Reports();
        HangAfter("model.safetensors", 300_000, async () =>
        {
            await reports.FirstBytes.Task;
            await stop.CancelAsync();
        });
        using (HubPuller puller = Puller())
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => puller.PullAsync(Id, progress: reports, stop: stop.Token));
        }
        Assert.False(Store.Find(HubServer.Model)!.IsComplete);
        long kept = new FileInfo(Assert.Single(Directory.EnumerateFiles(Path.Combine(Folder, ".mm-pull"), "*.partial"))).Length;
        Assert.InRange(kept, 1, 300_000);
        Assert.Equal(800_000 - kept, (await PullAsync()).BytesFetched);
        AssertHas("model.safetensors");
        Assert.Contains($"content GET /model.safetensors bytes={kept}-", Server.Requests);
        Assert.True(Store.Find("acme--Tiny-1.5")!.IsComplete);
    }

    [Fact]
    public async Task A_server_that_ignores_ranges_is_read_from_the_start()
    {
        byte[] bytes = HubServer.Noise(400_000, 5);
        Server.Add("model.safetensors", bytes, large: true);
        int requests = 0;
        Server.Intercept = async (context, role) =>
        {
            if (role == "content")
            {
                await SendPartAsync(context, bytes, 0, requests++ == 0 ? 150_000 : bytes.Length, ranged: false);
            }
            return role == "content";
        };
        Assert.Equal(550_000, (await PullAsync()).BytesFetched);
        AssertHas("model.safetensors");
    }

    [Fact]
    public async Task A_stalled_transfer_is_broken_off_and_repeated()
    {
        Server.Add("model.safetensors", HubServer.Noise(300_000, 6), large: true);
        var reports = new Reports();
        HangAfter("model.safetensors", 200_000, async () =>
        {
            await reports.FirstBytes.Task;
            Time.Stall();
        });
        await PullAsync(progress: reports);
        AssertHas("model.safetensors");
        Assert.Equal(2, Server.Requests.Count(request => request.StartsWith("content", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Wrong_bytes_are_refused_and_thrown_away()
    {
        Server.Add("model.safetensors", HubServer.Noise(5000, 7), large: true);
        Server.Intercept = async (context, role) =>
        {
            if (role == "content")
            {
                await context.Response.Body.WriteAsync(HubServer.Noise(5000, 8));
            }
            return role == "content";
        };
        Assert.Contains("sha256", (await FailsAsync(MmErrorCode.Unavailable)).Message);
        Assert.False(File.Exists(Path.Combine(Folder, "model.safetensors")));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(Folder, ".mm-pull"), "*.partial"));
        Assert.False(Store.Find(HubServer.Model)!.IsComplete);
        Server.Intercept = (_, _) => Task.FromResult(false);
        await PullAsync();
        AssertHas("model.safetensors");
    }

    [Fact]
    public async Task Wrong_bytes_of_a_small_file_are_refused_by_their_git_hash()
    {
        Server.Add("config.json", "{\"a\":1}"u8.ToArray());
        Server.EditList = list => list.Replace(HubServer.BlobId(Server.Bytes("config.json")), HubServer.BlobId("{\"a\":2}"u8.ToArray()), StringComparison.Ordinal);
        Assert.Contains("another one than", (await FailsAsync(MmErrorCode.Unavailable)).Message);
        Server.Intercept = async (context, _) =>
        {
            if (context.Request.Path.Value!.EndsWith("config.json", StringComparison.Ordinal))
            {
                await context.Response.Body.WriteAsync(Server.Bytes("config.json")); // without an ETag that would give it away
                return true;
            }
            return false;
        };
        Assert.Contains("git hash", (await FailsAsync(MmErrorCode.Unavailable)).Message);
    }

    [Fact]
    public async Task More_bytes_than_announced_are_refused()
    {
        Server.Add("model.safetensors", HubServer.Noise(5000, 9), large: true);
        Server.Intercept = async (context, role) =>
        {
            if (role == "content")
            {
                await context.Response.Body.WriteAsync(new byte[50_000]);
            }
            return role == "content";
        };
        Assert.Contains("5000 bytes", (await FailsAsync(MmErrorCode.Unavailable)).Message);
    }

    [Fact]
    public async Task Without_digests_in_the_list_the_headers_count()
    {
        Server.AnnouncesDigests = false;
        Server.Add("config.json", "{}"u8.ToArray());
        Server.Add("model.safetensors", HubServer.Noise(9000, 10), large: true);
        await PullAsync();
        AssertHas("config.json", "model.safetensors");
        Assert.Contains($"hub HEAD /{HubServer.Model}/resolve/{HubServer.Commit}/config.json", Server.Requests);
        Assert.Equal(0, (await PullAsync()).BytesFetched);
    }

    [Fact]
    public async Task Two_pulls_of_one_model_do_not_mix()
    {
        Server.Add("config.json", "{}"u8.ToArray());
        MmException? second = null;
        Server.Intercept = async (context, _) =>
        {
            if (second is null && context.Request.Path.Value!.EndsWith("config.json", StringComparison.Ordinal))
            {
                second = await Assert.ThrowsAsync<MmException>(() => PullAsync());
            }
            return false;
        };
        await PullAsync();
        Assert.Equal(MmErrorCode.AlreadyExists, second!.Code);
        AssertHas("config.json");
    }

    // The first request for the file gets so many bytes and then nothing, until the client goes away.
    private void HangAfter(string path, int count, Func<Task> then)
    {
        bool hung = false;
        Server.Intercept = async (context, role) =>
        {
            if (role != "content" || hung)
            {
                return false;
            }
            hung = true;
            context.Response.ContentLength = Server.Bytes(path).Length;
            await context.Response.Body.WriteAsync(Server.Bytes(path).AsMemory(0, count));
            await context.Response.Body.FlushAsync();
            await then();
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
            return true;
        };
    }

    private static async Task SendPartAsync(HttpContext context, byte[] bytes, int from, int count, bool ranged = true)
    {
        if (ranged && from > 0)
        {
            context.Response.StatusCode = 206;
            context.Response.Headers.ContentRange = $"bytes {from}-{bytes.Length - 1}/{bytes.Length}";
        }
        context.Response.ContentLength = bytes.Length - from;
        await context.Response.Body.WriteAsync(bytes.AsMemory(from, count));
        await context.Response.Body.FlushAsync();
        if (from + count < bytes.Length)
        {
            await context.Response.CompleteAsync().ContinueWith(_ => { }, TaskScheduler.Default);
            context.Abort();
        }
    }

    private sealed class Reports : IProgress<PullProgress>
    {
        public ConcurrentBag<PullProgress> Seen { get; } = [];

        public TaskCompletionSource FirstBytes { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Report(PullProgress value)
        {
            Seen.Add(value);
            if (value.FileDone > 0)
            {
                FirstBytes.TrySetResult();
            }
        }
    }
}
