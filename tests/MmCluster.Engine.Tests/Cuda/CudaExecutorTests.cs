using MmCluster.Engine.Hosting;
using MmCluster.Engine.Tests.Cpu;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;
using MmCluster.Tensors.Cuda;

namespace MmCluster.Engine.Tests.Cuda;

/// <summary>A GPU says what the processor says: in F32 the logits are closer to each other than tokens are apart.</summary>
public sealed class CudaExecutorTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false, 2048)]
    [InlineData(true, 2048)]
    [InlineData(false, 24)]
    public async Task Answers_are_those_of_the_processor_whatever_runs_beside_them(bool eager, int maxTokens)
    {
        Assert.SkipWhen(CudaContext.Count == 0, "no GPU");
        using TinyFolder folder = TinyFolder.Llama(heads: 3, kvHeads: 3); // heads of 16
        Answer[] expected = await AnswersAsync(folder, new ExecutorOptions(), Device.Cpu, maxTokens);
        Answer[] answers = await AnswersAsync(folder, new ExecutorOptions { EnforceEager = eager }, Device.Cuda(0), maxTokens);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i].Ids, answers[i].Ids);
        }
    }

    [Fact]
    public async Task A_cache_too_small_for_all_preempts_and_still_answers_alike()
    {
        Assert.SkipWhen(CudaContext.Count == 0, "no GPU");
        using TinyFolder folder = TinyFolder.Llama(heads: 3, kvHeads: 3);
        Answer[] expected = await AnswersAsync(folder, new ExecutorOptions(), Device.Cpu, 64);
        long block = PagedKv.BytesABlock(3, 16, DType.F32, Device.Cuda(0)) * 3;
        Answer[] answers = await AnswersAsync(folder, new ExecutorOptions { KvCacheBytes = 12 * block }, Device.Cuda(0), 64);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i].Ids, answers[i].Ids);
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Pipeline_shards_say_what_one_stage_says(int shards)
    {
        Assert.SkipWhen(CudaContext.Count == 0, "no GPU");
        using TinyFolder folder = TinyFolder.Llama(heads: 3, kvHeads: 3);
        Answer[] expected = await AnswersAsync(folder, new ExecutorOptions(), Device.Cpu, 64);
        Answer[] answers = await AnswersAsync(folder, new ExecutorOptions { KvCacheBytes = 64L << 20 }, Device.Cuda(0), 64, shards);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i].Ids, answers[i].Ids);
        }
    }

    [Theory]
    [InlineData(false, 2048, null)]
    [InlineData(true, 2048, null)]
    [InlineData(false, 24, null)]
    [InlineData(false, 2048, 12)] // preempts: encoders run again
    public async Task An_encoder_decoder_says_what_it_says_on_the_processor(bool eager, int maxTokens, int? blocks)
    {
        Assert.SkipWhen(CudaContext.Count == 0, "no GPU");
        using TinyFolder folder = TinyFolder.T5();
        Answer[] expected = await AnswersAsync(folder, new ExecutorOptions(), Device.Cpu, maxTokens, vocabulary: 120);
        long? bytes = PagedKv.BytesABlock(4, 8, DType.F32, Device.Cuda(0)) * 2 * blocks;
        Answer[] answers = await AnswersAsync(folder, new ExecutorOptions { EnforceEager = eager, KvCacheBytes = bytes }, Device.Cuda(0), maxTokens, vocabulary: 120);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i].Ids, answers[i].Ids);
        }
    }

    [Fact]
    public async Task Deterministic_answers_in_16_bits_are_the_same_alone_and_beside_others_in_chunks()
    {
        Assert.SkipWhen(CudaContext.Count == 0, "no GPU");
        using TinyFolder folder = TinyFolder.Llama(hidden: 256, heads: 2, kvHeads: 2, intermediate: 512); // heads of 128, as the fast kernels take them
        ExecutorOptions options = new() { Deterministic = true };
        Answer[] alone = await AnswersAsync(folder, options, Device.Cuda(0), 2048, dtype: DType.BF16, maxSequences: 1);
        Answer[] beside = await AnswersAsync(folder, options, Device.Cuda(0), 24, dtype: DType.BF16);
        Assert.Contains(alone, answer => answer.Logprobs.Length > 0);
        for (int i = 0; i < alone.Length; i++)
        {
            Assert.Equal(alone[i].Ids, beside[i].Ids);
            Assert.Equal(alone[i].Logprobs, beside[i].Logprobs);
        }
    }

    [Fact]
    public async Task Models_that_are_loaded_at_once_leave_each_other_s_graphs_alone()
    {
        Assert.SkipWhen(CudaContext.Count == 0, "no GPU");
        using TinyFolder folder = TinyFolder.Llama(heads: 3, kvHeads: 3);
        ExecutorOptions options = new() { KvCacheBytes = 8L << 20 };
        Answer[] expected = await AnswersAsync(folder, options, Device.Cuda(0), 2048);
        Answer[][] answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Task.Run(() => AnswersAsync(folder, options, Device.Cuda(0), 2048), Stop)));
        Assert.All(answers, model => Assert.Equal(expected.Select(answer => answer.Ids), model.Select(answer => answer.Ids)));
    }

    [Fact]
    public async Task Pictures_are_encoded_where_the_model_is()
    {
        Assert.SkipWhen(CudaContext.Count == 0, "no GPU");
        using TinyFolder folder = TinyFolder.Llava();
        string[] expected = await ChatsAsync(folder, Device.Cpu);
        Assert.Equal(expected, await ChatsAsync(folder, Device.Cuda(0)));
    }

    private sealed record Answer(int[] Ids, float[] Logprobs);

    private static async Task<Answer[]> AnswersAsync(
        TinyFolder folder, ExecutorOptions executor, Device device, int maxTokens, int shards = 1, int vocabulary = 200, DType dtype = DType.F32, int maxSequences = 11)
    {
        await using LocalModel model = LocalModel.Load(folder.Path, new LocalModelOptions
        {
            Load = new LoadOptions { Backbone = dtype, Device = device },
            Executor = executor,
            PipelineShards = shards,
            Engine = new EngineOptions { MaxNumSeqs = maxSequences, MaxNumBatchedTokens = maxTokens },
        });
        return await Task.WhenAll(Enumerable.Range(0, 24).Select(i => AnswerAsync(model, i, vocabulary)));
    }

    private static async Task<Answer> AnswerAsync(LocalModel model, int i, int vocabulary)
    {
        Random random = new(i);
        ModelRequest request = new()
        {
            Input = new ModelInput.Tokens(Enumerable.Range(0, 1 + random.Next(60)).Select(_ => random.Next(2, vocabulary)).ToArray()),
            Sampling = new SamplingParameters
            {
                Temperature = i % 3 == 0 ? 0 : 0.8f,
                TopP = i % 4 == 1 ? 0.9f : 1,
                TopK = i % 4 == 2 ? 20 : 0,
                RepetitionPenalty = i % 5 == 1 ? 1.2f : 1,
                Seed = (ulong)i,
                MaxTokens = 10 + random.Next(40),
                IgnoreEos = i % 2 == 0,
                Logprobs = i % 6 == 5 ? 3 : null,
            },
        };
        List<int> ids = [];
        List<float> logprobs = [];
        await foreach (SequenceOutput output in model.GenerateAsync(request, Stop))
        {
            if (output.Error is { } error)
            {
                throw error;
            }
            ids.AddRange(output.TokenIds.Span);
            logprobs.AddRange((output.Logprobs ?? []).Select(token => token.Chosen.Logprob));
        }
        return new Answer([.. ids], [.. logprobs]);
    }

    private static async Task<string[]> ChatsAsync(TinyFolder folder, Device device)
    {
        await using LocalModel model = LocalModel.Load(folder.Path, new LocalModelOptions { Load = new LoadOptions { Backbone = DType.F32, Device = device } });
        return await Task.WhenAll(Enumerable.Range(0, 6).Select(i => ChatAsync(model, (byte)(40 * i))));
    }

    private static async Task<string> ChatAsync(LocalModel model, byte shade)
    {
        ModelRequest request = new()
        {
            Input = ModelInput.Chat.FromUser($"shade {shade}?", new MediaItem(Modality.Image, TinyFolder.Picture(shade, 10, 200), "picture")),
            Sampling = new() { MaxTokens = 20, IgnoreEos = true, Temperature = 0 },
        };
        string text = "";
        await foreach (SequenceOutput output in model.GenerateAsync(request, Stop))
        {
            text += output.Error is { } error ? throw error : output.Text;
        }
        return text;
    }
}
