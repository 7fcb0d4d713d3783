using MmCluster.Engine.Hosting;
using MmCluster.Engine.Tests.Cpu;
using MmCluster.Models;
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

    private static async Task<List<int>> Collect(LocalModel model, int i, string? id = null)
    {
        List<int> tokens = [];
        ModelRequest request = new()
        {
            Id = id ?? $"r{i}-{Guid.NewGuid()}",
            Input = new ModelInput.Tokens(Enumerable.Range(3, 10 + (7 * i)).Select(token => token * (i + 1) % 200).ToArray()),
            Sampling = new() { MaxTokens = 5 + i, IgnoreEos = true, Seed = (ulong)i },
        };
        await foreach (SequenceOutput output in model.GenerateAsync(request, Stop))
        {
            Assert.Null(output.Error);
            tokens.AddRange(output.TokenIds.Span);
        }
        return tokens;
    }
}
