using System.Text.Json;
using MmCluster.Media.Images;
using MmCluster.Media.Images.Resize;

namespace MmCluster.Media.Tests.Images;

public sealed class ResizeTests
{
    public static TheoryData<int> Filters => [.. Enum.GetValues<Resampling>().Select(filter => (int)filter)];

    public static TheoryData<int> Widths => [.. Enumerable.Range(1, 70)];

    [Theory, MemberData(nameof(Filters))]
    public async Task Resizing_gives_the_bytes_that_Pillow_gives(int filter)
    {
        int compared = 0;
        foreach (JsonElement vector in Vectors.Section("resize").Where(vector => vector.GetProperty("filter").GetInt32() == filter))
        {
            using Picture source = await Pictures.ReadAsync(vector.GetProperty("file").GetString()!);
            (int width, int height) = (vector.GetProperty("width").GetInt32(), vector.GetProperty("height").GetInt32());
            using Picture resized = source.Resize(width, height, (Resampling)filter);
            Assert.True(vector.GetProperty("sha256").GetString() == Vectors.Sha(resized.Pixels), $"differs: {vector}");
            compared++;
        }
        Assert.Equal(22, compared);
    }

    [Theory, MemberData(nameof(Widths))]
    public void Vector_passes_equal_the_naive_loops_at_every_width(int width)
    {
        using Picture source = Pictures.Random(width, 23, seed: width);
        foreach (Resampling filter in (ReadOnlySpan<Resampling>)[Resampling.Bicubic, Resampling.Lanczos, Resampling.Box])
        {
            foreach ((int w, int h) in (ReadOnlySpan<(int, int)>)[(71 - width, 23), (width, 9), ((width / 3) + 1, 50), (width * 2, 11)])
            {
                using Picture fast = source.Resize(w, h, filter);
                byte[] naive = NaiveResizer.Resize(source.Pixels, width, 23, w, h, filter);
                Assert.True(fast.Pixels.SequenceEqual(naive), $"{filter} {width} x 23 to {w} x {h}");
            }
        }
    }

    [Theory, MemberData(nameof(Filters))]
    public void A_window_is_what_a_crop_of_the_whole_is(int filter)
    {
        using Picture source = Pictures.Random(50, 40, seed: 5);
        foreach ((int w, int h) in (ReadOnlySpan<(int, int)>)[(33, 70), (50, 20), (80, 40)])
        {
            using Picture whole = source.Resize(w, h, (Resampling)filter);
            using Picture expected = whole.Crop(4, 3, 17, 12);
            using Picture window = Resizer.Resize(source, w, h, (Resampling)filter, new PixelWindow(4, 3, 17, 12));
            Assert.True(expected.Pixels.SequenceEqual(window.Pixels));
        }
    }

    [Fact]
    public void An_impossible_size_or_crop_is_refused()
    {
        using Picture source = Pictures.Random(5, 4, seed: 1);
        Assert.Throws<ArgumentOutOfRangeException>(() => source.Resize(0, 4, Resampling.Box));
        Assert.Throws<ArgumentOutOfRangeException>(() => source.Resize(70_000, 70_000, Resampling.Box));
        Assert.Throws<ArgumentOutOfRangeException>(() => source.Resize(3, 3, (Resampling)9));
        Assert.Throws<ArgumentOutOfRangeException>(() => source.Crop(1, 0, 5, 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => source.Crop(int.MaxValue, 0, int.MaxValue, 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => source.CenterCrop(0, 4));
    }
}
