using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.Wire;
using MmCluster.Engine;
using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Tests.Wire;

/// <summary>Types of other projects in messages: nothing of them is lost.</summary>
public sealed class MessageTests
{
    [Fact]
    public void Errors_keep_code_and_fields()
    {
        ErrorConverter converter = new();
        MmException error = new(MmErrorCode.ResourceExhausted, "too many") { Param = "n", Stage = "backbone", RetryAfter = TimeSpan.FromSeconds(3) };
        MmException back = converter.ConvertFromSurrogate(converter.ConvertToSurrogate(error));
        Assert.Equal(
            (error.Code, error.Message, error.Param, error.Stage, error.RetryAfter), (back.Code, back.Message, back.Param, back.Stage, back.RetryAfter));
    }

    [Fact]
    public void Sampling_keeps_every_parameter()
    {
        SamplingConverter converter = new();
        SamplingParameters sampling = new()
        {
            Temperature = 0.5f,
            TopK = 3,
            TopP = 0.9f,
            MinP = 0.1f,
            RepetitionPenalty = 1.5f,
            PresencePenalty = 1,
            FrequencyPenalty = -1,
            LogitBias = new Dictionary<int, float> { [7] = 2 },
            Seed = ulong.MaxValue,
            Choices = 4,
            MaxTokens = 9,
            MinTokens = 2,
            IgnoreEos = true,
            StopTokenIds = [5],
            Stop = ["end"],
            IncludeStop = true,
            Logprobs = 6,
            SkipSpecialTokens = false,
            Structure = new StructuredOutput.Regex("a+"),
        };
        SamplingParameters back = converter.ConvertFromSurrogate(converter.ConvertToSurrogate(sampling));
        Assert.Equivalent(sampling, back, strict: true);
        SamplingParameters plain = converter.ConvertFromSurrogate(converter.ConvertToSurrogate(new SamplingParameters()));
        Assert.Equivalent(new SamplingParameters(), plain, strict: true);
    }

    [Fact]
    public void References_to_tensors_are_equal_afterwards()
    {
        TensorRefConverter converter = new();
        TensorRef reference = new(new LinkAddress("m", "/run/x", "10.0.0.1", 5, Guid.NewGuid()), 42, DType.BF16, [2, 3], 12, UInt128.MaxValue);
        Assert.Equal(reference, converter.ConvertFromSurrogate(converter.ConvertToSurrogate(reference)));
    }
}
