using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using MmCluster.Engine.Hosting;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Engine.Tests.Kinds;

/// <summary>
/// The reference's greedy answers to text (tests/goldens, transformers in F32) through the engine of a device, decoder-only networks and encoder-decoders alike; alone, and
/// beside a copy of the request.
/// </summary>
public abstract class GoldenAnswerTests
{
    private protected abstract Device Device { get; }

    /// <summary>Folders with greedy answers to tokens alone.</summary>
    public static TheoryData<string> Goldens => [.. Directory.EnumerateDirectories(RepositoryRoot.Path("tests/goldens"))
        .Where(folder => File.Exists(Path.Combine(folder, "io.safetensors")) && Header(folder) is var header && header.TryGetProperty("out.greedy", out _)
            && !header.TryGetProperty("in.pixel_values", out _))
        .Select(folder => Path.GetFileName(folder))
        .Order(StringComparer.Ordinal)];

    [Theory, MemberData(nameof(Goldens))]
    public async Task The_engine_answers_as_the_reference_does(string golden)
    {
        string folder = RepositoryRoot.Path($"tests/goldens/{golden}");
        await using LocalModel model = LocalModel.Load(folder, new LocalModelOptions { Load = new LoadOptions { Backbone = DType.F32, Device = Device } });
        int[] prompt = Row(folder, "in.input_ids");
        int[] mask = Header(folder).TryGetProperty("in.attention_mask", out _) ? Row(folder, "in.attention_mask") : [.. prompt.Select(_ => 1)];
        int[] greedy = Row(folder, "out.greedy");
        // A decoder-only reference repeats the prompt, an encoder-decoder's begins with the start id.
        int[] expected = greedy.AsSpan().StartsWith(prompt) ? greedy[prompt.Length..] : greedy[1..];
        int[] seen = [.. prompt.Where((_, i) => mask[i] != 0)];
        Assert.Equal([expected, expected], await Task.WhenAll(AnswerAsync(model, seen, expected.Length), AnswerAsync(model, seen, expected.Length)));
    }

    private static async Task<int[]> AnswerAsync(LocalModel model, int[] prompt, int tokens)
    {
        ModelRequest request = new()
        {
            Input = new ModelInput.Tokens(prompt),
            Sampling = new SamplingParameters { Temperature = 0, MaxTokens = tokens, IgnoreEos = true },
        };
        List<int> ids = [];
        await foreach (SequenceOutput output in model.GenerateAsync(request, TestContext.Current.CancellationToken))
        {
            ids.AddRange(output.Error is { } error ? throw error : output.TokenIds.Span);
        }
        return [.. ids];
    }

    private static JsonElement Header(string folder)
    {
        byte[] file = File.ReadAllBytes(Path.Combine(folder, "io.safetensors"));
        using JsonDocument header = JsonDocument.Parse(Encoding.UTF8.GetString(file, sizeof(long), (int)BitConverter.ToInt64(file)));
        return header.RootElement.Clone();
    }

    // The first row of I64 [rows, columns].
    private static int[] Row(string folder, string name)
    {
        byte[] file = File.ReadAllBytes(Path.Combine(folder, "io.safetensors"));
        JsonElement tensor = Header(folder).GetProperty(name);
        int start = sizeof(long) + (int)BitConverter.ToInt64(file) + tensor.GetProperty("data_offsets")[0].GetInt32();
        return [.. MemoryMarshal.Cast<byte, long>(file.AsSpan(start))[..tensor.GetProperty("shape")[1].GetInt32()].ToArray().Select(id => (int)id)];
    }
}

public sealed class CpuGoldenAnswerTests : GoldenAnswerTests
{
    private protected override Device Device => Device.Cpu;
}

public sealed class CudaGoldenAnswerTests : GoldenAnswerTests
{
    public CudaGoldenAnswerTests() => Assert.SkipWhen(Device.CudaCount == 0, "no GPU");

    private protected override Device Device => Device.Cuda(0);
}
