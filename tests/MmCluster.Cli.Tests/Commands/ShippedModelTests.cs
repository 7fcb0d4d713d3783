using System.Text.Json;

namespace MmCluster.Cli.Tests.Commands;

/// <summary>The commands a new user tries, on the model that ships.</summary>
public sealed class ShippedModelTests
{
    // The scene that the demo shows: a tree, a bicycle, a dog and a sun on green.
    private static readonly string Park = Path.Combine(AppContext.BaseDirectory, "models", "mini", "demo", "park.png");

    private static readonly Dictionary<string, string> Home = new() { ["HOME"] = Path.GetTempPath() };

    [Fact]
    public async Task Demo_answers_about_its_scene_and_ends_by_itself()
    {
        CommandRun run = await CommandRun.WithAsync("", Home, "demo");
        Assert.Equal(0, run.Exit);
        Assert.Contains("a dog", run.Out, StringComparison.Ordinal);
        Assert.Contains("The background is green.", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Demo_and_chat_end_with_one_object_when_asked_for_json()
    {
        CommandRun demo = await CommandRun.WithAsync("", Home, "demo", "--json");
        Assert.Contains(
            demo.Json.GetProperty("answers").EnumerateArray(),
            answer => answer.GetProperty("answer").GetString()!.Contains("The background is green.", StringComparison.Ordinal));
        CommandRun chat = await CommandRun.WithAsync("Hello\n", Home, "chat", "--dtype", "f32", "--max-tokens", "3", "--json");
        Assert.Equal(["user", "assistant"], chat.Json.GetProperty("messages").EnumerateArray().Select(message => message.GetProperty("role").GetString()));
    }

    [Fact]
    public async Task Run_without_a_model_asks_the_shipped_one()
    {
        CommandRun run = await CommandRun.WithAsync("", Home, "run", "What colour is the background?", "--image", Park, "--dtype", "f32");
        Assert.Equal((0, "The background is green.\n"), (run.Exit, run.Out));
    }

    [Fact]
    public async Task Run_with_json_prints_one_object_with_text_ids_and_usage()
    {
        CommandRun run = await CommandRun.WithAsync(
            "", Home, "run", "mini", "How many objects are there?", "--image", Park, "--dtype", "f32", "--logprobs", "2", "--json");
        JsonElement json = run.Json;
        Assert.Contains("four", json.GetProperty("text").GetString()!, StringComparison.Ordinal);
        Assert.Equal(json.GetProperty("token_ids").GetArrayLength(), json.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        Assert.Equal(2, json.GetProperty("logprobs")[0].GetProperty("top").GetArrayLength());
    }

    [Fact]
    public async Task A_missing_picture_is_one_line_naming_it()
    {
        CommandRun run = await CommandRun.WithAsync("", Home, "run", "What is this?", "--image", "/no/such/picture.png");
        Assert.Equal(2, run.Exit);
        Assert.Contains("/no/such/picture.png", Assert.Single(run.Error.TrimEnd().Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_without_a_question_is_not_taken_for_the_question()
    {
        CommandRun run = await CommandRun.WithAsync("", Home, "run", "mini");
        Assert.Equal(2, run.Exit);
        Assert.Contains("add the question", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_seed_makes_a_drawn_answer_repeatable()
    {
        string[] arguments = ["run", "Describe the picture.", "--image", Park, "--temperature", "1.5", "--seed", "5", "--dtype", "f32"];
        CommandRun first = await CommandRun.WithAsync("", Home, arguments);
        CommandRun second = await CommandRun.WithAsync("", Home, arguments);
        Assert.Equal(first.Out, second.Out);
    }

    [Fact]
    public async Task Chat_keeps_the_picture_and_survives_a_bad_one()
    {
        CommandRun run = await CommandRun.WithAsync($"/image /no/such.png\n/image {Park}\nWhat is in the picture?\n/exit\n", Home, "chat", "--dtype", "f32");
        Assert.Equal(0, run.Exit);
        Assert.Contains("/no/such.png", run.Error, StringComparison.Ordinal);
        Assert.Contains("a bicycle", run.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("text.png", "hello, I am text")]
    [InlineData("list.png", "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/x.ts\n")]
    public async Task What_is_no_picture_is_one_line_naming_the_file(string name, string content)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write(name, System.Text.Encoding.UTF8.GetBytes(content));
        CommandRun run = await CommandRun.WithAsync("", Home, "run", "What is this?", "--image", path);
        Assert.Equal(2, run.Exit);
        Assert.Contains(path, Assert.Single(run.Error.TrimEnd().Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_png_that_claims_a_huge_size_is_refused_before_its_pixels()
    {
        using var folder = new TemporaryFolder();
        byte[] png = await File.ReadAllBytesAsync(Park, TestContext.Current.CancellationToken);
        (png[16], png[17], png[18], png[19]) = (0, 0, 0xEA, 0x60);
        (png[20], png[21], png[22], png[23]) = (0, 0, 0xEA, 0x60);
        BitConverter.TryWriteBytes(png.AsSpan(29), System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(Crc32(png.AsSpan(12, 17))));
        string path = folder.Write("huge.png", png);
        CommandRun run = await CommandRun.WithAsync("", Home, "run", "What is this?", "--image", path);
        Assert.Equal(2, run.Exit);
        Assert.Contains("60000", run.Error.Replace(",", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_architecture_lists_the_known_ones()
    {
        using var folder = new TemporaryFolder();
        folder.Write("config.json", """{"architectures":["FrobForCausalLM"]}"""u8.ToArray());
        CommandRun run = await CommandRun.WithAsync("", Home, "run", folder.Path, "hello");
        Assert.Equal(2, run.Exit);
        Assert.Contains("FrobForCausalLM", run.Error, StringComparison.Ordinal);
        Assert.Contains("LlamaForCausalLM", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_card_key_is_named_with_its_line()
    {
        using var folder = new TemporaryFolder();
        folder.Write("broken.yaml", "schema: 1\nname: broken\ncolour: red\ncomponents:\n  lm:\n    kind: backbone\n    network: llama\n"u8.ToArray());
        CommandRun run = await CommandRun.WithAsync("", new(Home) { ["MM_CARDS"] = folder.Path }, "run", "broken", "hello");
        Assert.Equal(2, run.Exit);
        Assert.Contains("broken.yaml(3)", run.Error, StringComparison.Ordinal);
    }

    private static uint Crc32(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in bytes)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xEDB88320 : crc >> 1;
            }
        }
        return ~crc;
    }
}
