using System.Buffers.Binary;
using System.Text.Json;
using MmCluster.Media.Images;

namespace MmCluster.Media.Tests.Images;

/// <summary>The shipped model's processor against transformers' on Pillow (tests/goldens/mini), from the files to pixel_values.</summary>
public sealed class MiniPixelTests
{
    [Theory]
    [InlineData("pixels.000", "000.png")]
    [InlineData("pixels.001", "001.png")]
    [InlineData("pixels.051", "051.jpg")]
    public async Task Pixel_values_are_those_of_the_processor(string tensor, string file)
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        string root = FindRoot();
        string goldens = Path.Combine(root, "tests/goldens/mini");
        ImageProcessorConfig config = ImageProcessorConfig.Parse(
            await File.ReadAllBytesAsync(Path.Combine(root, "models/mini/preprocessor_config.json"), stop), "preprocessor_config.json");
        using Picture picture = await new PictureReader().ReadFileAsync(Path.Combine(goldens, "pictures", file), stop);

        float[] values = new ImageProcessor(config).Process(picture);

        byte[] expected = ReadBytes(Path.Combine(goldens, "reference.safetensors"), tensor); // [3, side, side]
        Assert.Equal(expected.Length, values.Length);
        double[] mean = [0.48145466, 0.4578275, 0.40821073], deviation = [0.26862954, 0.26130258, 0.27577711];
        double worst = 0;
        for (int i = 0; i < values.Length; i++)
        {
            int channel = i / (values.Length / 3);
            worst = Math.Max(worst, Math.Abs(values[i] - (((expected[i] / 255.0) - mean[channel]) / deviation[channel])));
        }
        Assert.True(worst < 1e-5, $"{file}: largest difference {worst}");
    }

    private static byte[] ReadBytes(string path, string tensor)
    {
        byte[] file = File.ReadAllBytes(path);
        int size = checked((int)BinaryPrimitives.ReadUInt64LittleEndian(file));
        using JsonDocument header = JsonDocument.Parse(file.AsMemory(8, size));
        JsonElement entry = header.RootElement.GetProperty(tensor);
        Assert.Equal("U8", entry.GetProperty("dtype").GetString());
        JsonElement offsets = entry.GetProperty("data_offsets");
        return file[(8 + size + offsets[0].GetInt32())..(8 + size + offsets[1].GetInt32())];
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "MmCluster.sln")))
            {
                return folder.FullName;
            }
        }
        throw new InvalidOperationException("no MmCluster.sln above the tests");
    }
}
