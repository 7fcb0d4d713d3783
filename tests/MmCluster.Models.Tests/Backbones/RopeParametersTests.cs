using MmCluster.Models.Backbones;
using MmCluster.Models.Checkpoints;

namespace MmCluster.Models.Tests.Backbones;

public sealed class RopeParametersTests
{
    private const int HeadDim = 64;

    [Fact]
    public void Frequencies_fall_from_one_to_near_the_inverse_of_theta()
    {
        RopeParameters rope = Read("""{"rope_theta": 10000.0}""");
        Assert.Equal(32, rope.Frequencies.Length);
        Assert.Equal(1f, rope.Frequencies[0]);
        Assert.Equal((float)Math.Pow(10000, -62.0 / 64), rope.Frequencies[31]);
        Assert.Equal(1f, rope.AttentionFactor);
    }

    [Fact]
    public void Old_and_new_names_mean_the_same()
    {
        RopeParameters old = Read("""{"rope_theta": 500000.0, "rope_scaling": {"type": "linear", "factor": 4.0}}""");
        RopeParameters now = Read("""{"rope_parameters": {"rope_theta": 500000.0, "rope_type": "linear", "factor": 4.0}}""");
        Assert.Equal(old.Frequencies.ToArray(), now.Frequencies.ToArray());
        Assert.Equal(0.25f, now.Frequencies[0]);
    }

    [Fact]
    public void Llama3_keeps_fast_dimensions_and_stretches_slow_ones()
    {
        const string Scaling = """{"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}""";
        float[] plain = Read("""{"rope_theta": 500000.0}""").Frequencies.ToArray();
        float[] scaled = Read($$"""{"rope_theta": 500000.0, "rope_scaling": {{Scaling}} }""").Frequencies.ToArray();
        Assert.Equal(plain[0], scaled[0]);
        Assert.Equal(plain[31] / 8, scaled[31], 1e-12f);
        // Wavelengths between 2048 and 8192 are interpolated: smooth = (8192 / wavelength - 1) / 3.
        int middle = Array.FindIndex(plain, frequency => 2 * Math.PI / frequency > 4000);
        double smooth = ((8192 * plain[middle] / (2 * Math.PI)) - 1) / 3;
        Assert.Equal((float)(((1 - smooth) * plain[middle] / 8) + (smooth * plain[middle])), scaled[middle], 1e-9f);
    }

    [Fact]
    public void Yarn_ramps_between_kept_and_interpolated_dimensions_and_scales_attention()
    {
        const string Scaling = """{"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 2048}""";
        float[] plain = Read("""{"rope_theta": 10000.0}""").Frequencies.ToArray();
        RopeParameters yarn = Read($$"""{"rope_theta": 10000.0, "rope_scaling": {{Scaling}} }""");
        Assert.Equal(plain[0], yarn.Frequencies[0]);
        Assert.Equal(plain[31] / 4, yarn.Frequencies[31], 1e-9f);
        Assert.Equal((float)((0.1 * Math.Log(4)) + 1), yarn.AttentionFactor);
        for (int i = 0; i < 32; i++)
        {
            Assert.InRange(yarn.Frequencies[i], plain[i] / 4.0001f, plain[i]);
        }
    }

    [Fact]
    public void Longrope_divides_by_its_short_factors_up_to_the_original_length()
    {
        string factors = string.Join(", ", Enumerable.Repeat("2.0", 32));
        RopeParameters rope = Read($$"""{"rope_theta": 10000.0, "original_max_position_embeddings": 1024, "rope_scaling": {"type": "longrope", "short_factor": [{{factors}}] } }""");
        Assert.Equal(0.5f, rope.Frequencies[0]);
        Assert.Equal(1024, rope.MaxLength);
        Assert.Equal((float)Math.Sqrt(1 + (Math.Log(4) / Math.Log(1024))), rope.AttentionFactor);
    }

    [Fact]
    public void Longrope_takes_the_given_factor_before_the_ratio_of_lengths()
    {
        string factors = string.Join(", ", Enumerable.Repeat("2.0", 32));
        RopeParameters rope = Read($$"""{"rope_scaling": {"type": "longrope", "short_factor": [{{factors}}], "factor": 7.0, "original_max_position_embeddings": 1024} }""");
        Assert.Equal((float)Math.Sqrt(1 + (Math.Log(7) / Math.Log(1024))), rope.AttentionFactor);
    }

    [Fact]
    public void The_original_length_beside_the_scaling_wins_and_the_longest_sequence_stands_for_a_missing_one()
    {
        const string Llama3 = """{"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}""";
        const string Given = """{"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}""";
        float[] longest = Read($$"""{"rope_scaling": {{Llama3}} }""").Frequencies.ToArray();
        Assert.Equal(Read($$"""{"original_max_position_embeddings": 4096, "rope_scaling": {{Given}} }""").Frequencies.ToArray(), longest);
        Assert.NotEqual(Read($$"""{"rope_scaling": {{Given}} }""").Frequencies.ToArray(), longest);
    }

    [Fact]
    public void Dynamic_frequencies_hold_up_to_the_longest_sequence_whatever_the_original_one_was() =>
        Assert.Equal(4096, Read("""{"rope_scaling": {"type": "dynamic", "factor": 4.0, "original_max_position_embeddings": 1024}}""").MaxLength);

    [Fact]
    public void Old_scaling_counts_where_a_file_has_both() =>
        Assert.Equal(0.5f, Read("""{"rope_scaling": {"type": "linear", "factor": 2.0}, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}}""").Frequencies[0]);

    [Fact]
    public void Betas_of_zero_are_the_usual_ones() => Assert.Equal(
        Read("""{"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "beta_fast": 32, "beta_slow": 1}}""").Frequencies.ToArray(),
        Read("""{"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "beta_fast": 0, "beta_slow": 0}}""").Frequencies.ToArray());

    [Fact]
    public void All_of_a_head_rotates_whatever_the_file_says_as_in_the_reference() =>
        Assert.Equal(HeadDim, Read("""{"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}""").Dimensions);

    [Fact]
    public void Rounded_frequencies_are_asked_for_by_the_card()
    {
        float rounded = Read("""{"rope_theta": 10000.0, "rope_frequency_dtype": "bfloat16"}""").Frequencies[1];
        Assert.Equal(0.75f, rounded); // 10000^(-1/32) = 0.7499
        Assert.NotEqual(rounded, Read("""{"rope_theta": 10000.0}""").Frequencies[1]);
    }

    [Fact]
    public void An_unknown_type_is_named_with_the_known_ones()
    {
        var error = Assert.Throws<NotSupportedException>(() => Read("""{"rope_scaling": {"rope_type": "spiral"}}"""));
        Assert.Equal("config.json: rope_scaling: rope_type 'spiral' is not known; known: default, linear, dynamic, llama3, yarn, longrope", error.Message);
    }

    [Theory]
    [InlineData("""{"rope_theta": 0}""")]
    [InlineData("""{"rope_scaling": {"type": "linear"}}""")]
    [InlineData("""{"rope_scaling": {"type": "linear", "factor": -1}}""")]
    [InlineData("""{"rope_scaling": {"type": "longrope", "short_factor": [1.0]}}""")]
    [InlineData("""{"rope_theta": 1e999}""")]
    [InlineData("""{"rope_scaling": "linear"}""")]
    public void Impossible_values_are_refused(string config) =>
        Assert.StartsWith("config.json", Assert.Throws<InvalidDataException>(() => Read(config)).Message);

    private static RopeParameters Read(string json) => RopeParameters.Read(ModelConfig.Parse(json, "config.json"), HeadDim, 4096);
}
