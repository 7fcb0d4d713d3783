using MmCluster.Engine.Hosting;
using MmCluster.Engine.Tests.Cpu;
using MmCluster.Models;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Engine.Tests.Hosting;

public sealed class LocalModelTests
{
    private static readonly LocalModelOptions Options = new() { Load = new LoadOptions { Backbone = DType.F32 } };

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Requests_side_by_side_give_what_each_gives_alone()
    {
        using TinyFolder folder = TinyFolder.Llama();
        await using LocalModel model = LocalModel.Load(folder.Path, Options);
        await model.WarmUpAsync(Stop);
        List<int>[] alone = new List<int>[4];
        for (int i = 0; i < alone.Length; i++)
        {
            alone[i] = await Collect(model, i);
        }
        List<int>[] together = await Task.WhenAll(Enumerable.Range(0, alone.Length).Select(i => Collect(model, i)));
        Assert.Equal(alone, together);
    }

    [Fact]
    public async Task Text_without_a_tokenizer_is_refused_by_name()
    {
        using TinyFolder folder = TinyFolder.Llama();
        await using LocalModel model = LocalModel.Load(folder.Path, Options);
        ModelRequest request = new() { Input = new ModelInput.Text("hello"), Sampling = new() { MaxTokens = 3 } };
        MmException error = await Assert.ThrowsAsync<MmException>(async () =>
        {
            await foreach (SequenceOutput _ in model.GenerateAsync(request, Stop))
            {
            }
        });
        Assert.Equal(MmErrorCode.InvalidArgument, error.Code);
        Assert.Contains("tokenizer.json", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Leaving_a_stream_early_frees_its_work()
    {
        using TinyFolder folder = TinyFolder.Llama();
        await using LocalModel model = LocalModel.Load(folder.Path, Options);
        ModelRequest request = new() { Id = "a", Input = new ModelInput.Tokens(new[] { 1, 2 }), Sampling = new() { MaxTokens = 400, IgnoreEos = true } };
        await foreach (SequenceOutput _ in model.GenerateAsync(request, Stop))
        {
            break;
        }
        // The id is free again as soon as the engine has let go.
        while (true)
        {
            try
            {
                Assert.Equal(5, (await Collect(model, 0, "a")).Count);
                break;
            }
            catch (MmException busy) when (busy.Code == MmErrorCode.AlreadyExists)
            {
                await Task.Yield();
            }
        }
    }

    [Fact]
    public async Task Made_up_weights_need_config_alone_and_answer_a_chat_with_a_picture_in_words()
    {
        using TinyFolder folder = TinyFolder.Llava();
        File.Delete(Path.Combine(folder.Path, "model.safetensors"));
        File.Delete(Path.Combine(folder.Path, "tokenizer.json"));
        string config = File.ReadAllText(Path.Combine(folder.Path, "config.json"));
        File.WriteAllText(Path.Combine(folder.Path, "config.json"), config.Replace("\"vocab_size\":260", "\"vocab_size\":400", StringComparison.Ordinal));
        await using LocalModel model = LocalModel.Load(folder.Path, Options with { Load = Options.Load with { Format = LoadFormat.Dummy } });
        (string text, Usage usage) = await Ask(model, "What is this?", TinyFolder.Picture(200, 10, 10));
        Assert.Equal((text, usage.PromptTokens), ((await Ask(model, "What is this?", TinyFolder.Picture(200, 10, 10))).Text, usage.PromptTokens));
        Assert.True(usage.PromptTokens > 9 + "What is this?".Length, $"{usage.PromptTokens} prompt tokens");
        Assert.NotEmpty(text);
    }

    [Fact]
    public async Task A_picture_is_encoded_once_and_its_tokens_are_not_computed_again()
    {
        using TinyFolder folder = TinyFolder.Llava();
        await using LocalModel model = LocalModel.Load(folder.Path, Options);
        (string first, Usage usage) = await Ask(model, "What is this?", TinyFolder.Picture(200, 10, 10));
        Assert.Equal(0, usage.CachedTokens);
        (string second, usage) = await Ask(model, "What is this?", TinyFolder.Picture(200, 10, 10));
        Assert.Equal(first, second);
        Assert.Equal((1, 2, 1), (model.Encoders[0].Batches, model.Encoders[0].Queries, model.Encoders[0].Hits));
        Assert.True(usage.CachedTokens >= 16, $"{usage.CachedTokens} of {usage.PromptTokens} cached");
        (string other, _) = await Ask(model, "What is this?", TinyFolder.Picture(10, 10, 200));
        Assert.NotEqual(first, other);
    }

    [Fact]
    public async Task A_language_model_split_over_ranks_answers_about_pictures_as_a_whole_one()
    {
        using TinyFolder folder = TinyFolder.Llava();
        await using LocalModel whole = LocalModel.Load(folder.Path, Options);
        await using LocalModel split = LocalModel.Load(folder.Path, Options with { TensorRanks = 2 });
        byte[][] pictures = [TinyFolder.Picture(200, 10, 10), TinyFolder.Picture(10, 10, 200)];
        foreach (byte[] picture in pictures)
        {
            Assert.Equal((await Ask(whole, "What is this?", picture)).Text, (await Ask(split, "What is this?", picture)).Text);
        }
        Assert.Single(split.Encoders);
        Assert.False(split.DeviceLost.IsCompleted);
    }

    [Fact]
    public async Task A_prompt_cannot_spell_a_picture()
    {
        using TinyFolder folder = TinyFolder.Llava();
        await using LocalModel model = LocalModel.Load(folder.Path, Options);
        (_, Usage plain) = await Ask(model, "<image>");
        (_, Usage other) = await Ask(model, "(image)");
        Assert.Equal(plain.PromptTokens, other.PromptTokens);
    }

    [Fact]
    public async Task A_broken_picture_fails_its_request_and_names_itself()
    {
        using TinyFolder folder = TinyFolder.Llava();
        await using LocalModel model = LocalModel.Load(folder.Path, Options);
        MmException error = await Assert.ThrowsAsync<MmException>(() => Ask(model, "What?", "no picture"u8.ToArray()));
        Assert.Equal(MmErrorCode.InvalidArgument, error.Code);
        Assert.Contains("item 0", error.Message, StringComparison.Ordinal);
        Assert.NotEmpty((await Ask(model, "What?", TinyFolder.Picture(1, 2, 3))).Text);
    }

    [Fact]
    public async Task A_model_without_encoders_refuses_pictures()
    {
        using TinyFolder folder = TinyFolder.Llama();
        await using LocalModel model = LocalModel.Load(folder.Path, Options);
        await Assert.ThrowsAsync<MmException>(() => Ask(model, "What?", TinyFolder.Picture(1, 2, 3)));
    }

    [Fact]
    public async Task An_encoder_decoder_answers_alike_alone_and_beside_others()
    {
        using TinyFolder folder = TinyFolder.T5();
        await using LocalModel model = LocalModel.Load(folder.Path, Options);
        List<int>[] alone = new List<int>[3];
        for (int i = 0; i < alone.Length; i++)
        {
            alone[i] = await Collect(model, i, vocabulary: 120);
        }
        Assert.Equal(alone, await Task.WhenAll(Enumerable.Range(0, alone.Length).Select(i => Collect(model, i, vocabulary: 120))));
        List<int> choices = await Collect(model, 0, vocabulary: 120, choices: 3);
        Assert.Equal(15, choices.Count);
    }

    private static async Task<(string Text, Usage Usage)> Ask(LocalModel model, string question, params byte[][] pictures)
    {
        ModelRequest request = new()
        {
            Input = ModelInput.Chat.FromUser(question, pictures.Select((bytes, i) => new MediaItem(Modality.Image, bytes, $"item {i}"))),
            Sampling = new() { MaxTokens = 12, IgnoreEos = true, Temperature = 0 },
        };
        string text = "";
        Usage? usage = null;
        await foreach (SequenceOutput output in model.GenerateAsync(request, Stop))
        {
            if (output.Error is { } error)
            {
                throw error;
            }
            text += output.Text;
            usage = output.Usage;
        }
        return (text, usage!);
    }

    private static async Task<List<int>> Collect(LocalModel model, int i, string? id = null, int vocabulary = 200, int choices = 1)
    {
        List<int> tokens = [];
        ModelRequest request = new()
        {
            Id = id ?? $"r{i}-{Guid.NewGuid()}",
            Input = new ModelInput.Tokens(Enumerable.Range(3, 10 + (7 * i)).Select(token => token * (i + 1) % vocabulary).ToArray()),
            Sampling = new() { MaxTokens = 5 + i, IgnoreEos = true, Seed = (ulong)i, Choices = choices },
        };
        await foreach (SequenceOutput output in model.GenerateAsync(request, Stop))
        {
            Assert.Null(output.Error);
            tokens.AddRange(output.TokenIds.Span);
        }
        return tokens;
    }
}
