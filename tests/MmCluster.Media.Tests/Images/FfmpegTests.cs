using MmCluster.Media.External;
using MmCluster.Media.Images;

namespace MmCluster.Media.Tests.Images;

public sealed class FfmpegTests
{
    private static readonly byte[] WebP = Vectors.Read("webp-lossless.webp");

    [Fact]
    public async Task A_cancelled_decode_leaves_no_process_behind()
    {
        using var stop = new CancellationTokenSource();
        int id = 0;
        var process = new FfmpegProcess(MediaLimits.Default, TimeProvider.System) { Started = started => id = started };
        Task<(int, ToolResult)> run = process.RunAsync(
            // An input that never ends: bytes of silence, read in real time.
            ["-re", "-f", "u8"], ["-f", "u8"], new byte[1 << 20],
            async (output, token) =>
            {
                await output.ReadAtLeastAsync(new byte[1], 1, cancellationToken: token);
                await stop.CancelAsync();
                return await output.ReadAtLeastAsync(new byte[1 << 20], 1 << 20, throwOnEndOfStream: false, token);
            },
            stop.Token);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        Assert.NotEqual(0, id);
        Assert.False(Directory.Exists($"/proc/{id}"), $"process {id} is still there");
    }

    [Fact]
    public async Task A_run_past_its_time_is_killed_and_told()
    {
        var time = new ManualTime();
        int id = 0;
        var limits = new MediaLimits { MaxToolTime = TimeSpan.FromSeconds(30) };
        var process = new FfmpegProcess(limits, time) { Started = started => id = started };
        InvalidDataException error = await Assert.ThrowsAsync<InvalidDataException>(() => process.RunAsync(
            ["-re", "-f", "u8"], ["-f", "u8"], new byte[1 << 20],
            async (output, token) =>
            {
                await output.ReadAtLeastAsync(new byte[1], 1, cancellationToken: token);
                time.Advance(TimeSpan.FromSeconds(30));
                return await output.ReadAtLeastAsync(new byte[1 << 20], 1 << 20, throwOnEndOfStream: false, token);
            },
            TestContext.Current.CancellationToken));
        Assert.Contains("longer than 30 s", error.Message);
        Assert.False(Directory.Exists($"/proc/{id}"), $"process {id} is still there");
    }

    [Fact]
    public async Task A_cancelled_request_kills_its_decode()
    {
        using var stop = new CancellationTokenSource();
        int id = 0;
        var process = new FfmpegProcess(MediaLimits.Default, TimeProvider.System)
        {
            Started = started =>
            {
                id = started;
                stop.Cancel();
            },
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => new PictureReader(MediaLimits.Default, process).DecodeAsync(WebP, "x", stop.Token));
        Assert.NotEqual(0, id);
        Assert.False(Directory.Exists($"/proc/{id}"), $"process {id} is still there");
    }

    [Fact]
    public async Task Memory_is_bounded_by_the_kernel()
    {
        // The program cannot even load its libraries in 8 MiB: what matters is that the limit is there, and that this is an error of the item.
        var reader = new PictureReader(new MediaLimits { MaxToolMemory = 8 << 20 });
        InvalidDataException error = await Assert.ThrowsAsync<InvalidDataException>(
            () => reader.DecodeAsync(WebP, "x.webp", TestContext.Current.CancellationToken));
        Assert.StartsWith("x.webp: WebP: ffmpeg cannot decode it", error.Message);
    }

    [Theory]
    [InlineData("hls")]
    [InlineData("concat")]
    public async Task Even_a_wrong_demuxer_could_open_nothing_but_the_pipe(string demuxer)
    {
        string secret = Vectors.PathOf("ppm.ppm");
        string list = demuxer == "hls"
            ? $"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n"
            : $"ffconcat version 1.0\nfile 'file:{secret}'\n";
        var process = new FfmpegProcess(MediaLimits.Default, TimeProvider.System);
        (int read, ToolResult result) = await process.RunAsync(
            demuxer == "concat" ? ["-f", demuxer, "-safe", "0"] : ["-f", demuxer],
            ["-f", "rawvideo"], System.Text.Encoding.ASCII.GetBytes(list),
            async (output, token) => await output.ReadAtLeastAsync(new byte[100], 100, throwOnEndOfStream: false, token),
            TestContext.Current.CancellationToken);
        Assert.Equal(0, read);
        Assert.NotEqual(0, result.ExitCode);
    }

    [Fact]
    public async Task Many_decodes_at_once_all_end()
    {
        Picture[] pictures = await Task.WhenAll(Enumerable.Range(0, 8)
            .Select(_ => new PictureReader().DecodeAsync(WebP, "x", TestContext.Current.CancellationToken)));
        Assert.All(pictures, picture => Assert.Equal((33, 21), (picture.Width, picture.Height)));
        Array.ForEach(pictures, picture => picture.Dispose());
    }
}
