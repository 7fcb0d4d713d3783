using MmCluster.Engine.Kv;
using MmCluster.Tensors;

namespace MmCluster.Engine.Tests.Kv;

public sealed class BlockKeysTests
{
    private static readonly Task<Tensor> Pending = new TaskCompletionSource<Tensor>().Task;

    [Fact]
    public void Everything_that_the_content_depends_on_changes_the_key()
    {
        UInt128 root = BlockKeys.Root("f32", null, "tenant", []);
        int[] tokens = [1, 2, 3, 4];
        PromptMedia media = new(2, 2, 5, false, Pending);
        UInt128[] keys =
        [
            BlockKeys.Next(root, tokens, 0, []),
            BlockKeys.Next(root, [1, 2, 3, 5], 0, []),
            BlockKeys.Next(BlockKeys.Root("bf16", null, "tenant", []), tokens, 0, []),
            BlockKeys.Next(BlockKeys.Root("f32", "lora", "tenant", []), tokens, 0, []),
            BlockKeys.Next(BlockKeys.Root("f32", null, "other", []), tokens, 0, []),
            BlockKeys.Next(BlockKeys.Root("f32", null, "tenant", [1]), tokens, 0, []),
            BlockKeys.Next(BlockKeys.Next(root, tokens, 0, []), tokens, 4, []),
            BlockKeys.Next(root, tokens, 0, [media]),
            BlockKeys.Next(root, tokens, 0, [media with { Key = 6 }]),
            BlockKeys.Next(root, tokens, 0, [media with { Position = 1 }]),
        ];
        Assert.Equal(keys.Length, keys.Distinct().Count());
    }

    [Fact]
    public void Media_outside_of_the_block_do_not_change_its_key() =>
        Assert.Equal(
            BlockKeys.Next(1, [1, 2], 4, []),
            BlockKeys.Next(1, [1, 2], 4, [new(0, 4, 9, false, Pending), new(6, 4, 9, false, Pending)]));
}
