using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using MmCluster.Media.Images;

namespace MmCluster.Media.Tests.Images;

public sealed class ImageProcessorTests
{
    public static TheoryData<int> Cases => [.. Enumerable.Range(0, Vectors.Section("process").Count)];

    [Theory, MemberData(nameof(Cases))]
    public async Task Processing_gives_the_floats_that_transformers_gives(int index)
    {
        JsonElement vector = Vectors.Section("process")[index];
        ImageProcessorConfig config = ImageProcessorConfig.Parse(vector.GetProperty("config"), "vector") with
        {
            PadToSquare = vector.GetProperty("pad").GetBoolean(),
        };
        var processor = new ImageProcessor(config);
        using Picture picture = await Pictures.ReadAsync(vector.GetProperty("file").GetString()!);
        float[] values = processor.Process(picture);
        (int width, int height) = processor.OutputSize(picture.Width, picture.Height);
        Assert.Equal([3, height, width], vector.GetProperty("shape").EnumerateArray().Select(size => size.GetInt32()));
        Assert.Equal(vector.GetProperty("sha256").GetString(), Vectors.Sha(MemoryMarshal.AsBytes(values.AsSpan())));
    }

    [Fact]
    public void A_nested_processor_and_LLaVAs_padding_are_read()
    {
        ImageProcessorConfig config = Parse(
            """{"image_processor": {"image_processor_type": "LlavaImageProcessor", "do_pad": true, "size": {"shortest_edge": 336}, "crop_size": 336, "resample": null}}""");
        Assert.True(config.PadToSquare);
        Assert.Equal(new ResizeRule.ShortestEdge(336), config.Resize);
        Assert.Equal((336, 336), config.CenterCrop);
        Assert.Equal(Resampling.Bicubic, config.Resampling);
        Assert.Equal(((byte)122, (byte)116, (byte)104), config.Background);
    }

    [Fact]
    public void A_size_of_one_number_is_the_shortest_edge_or_a_square_as_the_class_has_it()
    {
        Assert.Equal(new ResizeRule.ShortestEdge(99), Parse("""{"image_processor_type": "CLIPImageProcessor", "size": 99}""").Resize);
        Assert.Equal(new ResizeRule.Exact(99, 99), Parse("""{"image_processor_type": "BlipImageProcessor", "size": 99}""").Resize);
        Assert.Equal(new ResizeRule.Exact(98, 98), Parse("""{"image_processor_type": "IdeficsImageProcessor", "image_size": 98}""").Resize);
    }

    [Theory]
    [InlineData("""{"size": {"shortest_edge": 0}}""", "size.shortest_edge")]
    [InlineData("""{"size": {"shortest_edge": 99999999}}""", "size.shortest_edge")]
    [InlineData("""{"size": "big"}""", "size")]
    [InlineData("""{"crop_size": {"height": 5}}""", "crop_size")]
    [InlineData("""{"resample": 17}""", "resample")]
    [InlineData("""{"image_std": [1, 0, 1]}""", "image_std")]
    [InlineData("""{"image_mean": [1, 2]}""", "image_mean")]
    [InlineData("""{"do_resize": "yes"}""", "do_resize")]
    [InlineData("""{"rescale_factor": []}""", "rescale_factor")]
    [InlineData("""[]""", "the file")]
    [InlineData("""{"size" """, "preprocessor_config.json")]
    public void A_value_that_cannot_be_is_refused_by_its_key(string json, string key)
    {
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => Parse(json));
        Assert.StartsWith("preprocessor_config.json: ", error.Message);
        Assert.Contains(key, error.Message);
    }

    [Theory]
    [InlineData("""{"image_processor_type": "HoloImageProcessor"}""", "HoloImageProcessor")]
    [InlineData("""{"size": {"longest_edge": 980}}""", "longest_edge")]
    public void What_is_not_known_is_refused_by_name(string json, string word) =>
        Assert.Contains(word, Assert.Throws<NotSupportedException>(() => Parse(json)).Message);

    [Fact]
    public void A_strip_cannot_blow_up_memory()
    {
        using Picture strip = Picture.Allocate(60_000, 1);
        strip.Pixels.Clear();
        ImageProcessorConfig config = new() { Resize = new ResizeRule.ShortestEdge(336), CenterCrop = null };
        Assert.Throws<InvalidDataException>(() => new ImageProcessor(config).Process(strip));
        Assert.Throws<InvalidDataException>(() => new ImageProcessor(new() { PadToSquare = true }).Process(strip));
        // With a crop only the crop is computed: 336 rows of 20 million columns never exist.
        Assert.Equal(3 * 224 * 224, new ImageProcessor(new() { Resize = new ResizeRule.ShortestEdge(336) }).Process(strip).Length);
    }

    [Fact]
    public void A_target_of_another_length_is_refused()
    {
        using Picture picture = Pictures.Random(4, 4, seed: 3);
        Assert.Throws<ArgumentException>(() => new ImageProcessor(new()).Process(picture, new float[5]));
    }

    private static ImageProcessorConfig Parse(string json) =>
        ImageProcessorConfig.Parse(Encoding.UTF8.GetBytes(json), "preprocessor_config.json");
}
