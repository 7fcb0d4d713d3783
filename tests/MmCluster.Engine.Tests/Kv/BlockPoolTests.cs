using MmCluster.Engine.Kv;

namespace MmCluster.Engine.Tests.Kv;

public sealed class BlockPoolTests
{
    [Fact]
    public void A_released_block_is_found_by_its_key_until_it_is_handed_out_again()
    {
        BlockPool pool = new(2);
        int first = pool.Acquire();
        pool.Publish(first, 7);
        pool.Release(first);
        Assert.True(pool.TryFind(7, out int found));
        Assert.Equal(first, found);
        pool.Acquire();
        Assert.True(pool.TryFind(7, out _));
        pool.Acquire();
        Assert.False(pool.TryFind(7, out _));
        Assert.Equal(0, pool.FreeCount);
    }

    [Fact]
    public void The_least_recently_used_content_goes_first()
    {
        BlockPool pool = new(3);
        int[] blocks = [pool.Acquire(), pool.Acquire(), pool.Acquire()];
        for (int i = 0; i < 3; i++)
        {
            pool.Publish(blocks[i], (UInt128)i);
        }
        pool.Release(blocks[0]);
        pool.Release(blocks[1]);
        pool.Release(blocks[2]);
        pool.Retain(blocks[0]); // used again
        pool.Release(blocks[0]);
        Assert.Equal(blocks[1], pool.Acquire());
        Assert.Equal(blocks[2], pool.Acquire());
        Assert.Equal(blocks[0], pool.Acquire());
    }

    [Fact]
    public void A_shared_block_is_free_only_when_the_last_holder_lets_go()
    {
        BlockPool pool = new(1);
        int block = pool.Acquire();
        pool.Retain(block);
        pool.Release(block);
        Assert.Equal(0, pool.FreeCount);
        pool.Release(block);
        Assert.Equal(1, pool.FreeCount);
    }

    [Fact]
    public void Two_blocks_of_one_content_keep_the_first_findable()
    {
        BlockPool pool = new(2);
        int first = pool.Acquire();
        int second = pool.Acquire();
        pool.Publish(first, 1);
        pool.Publish(second, 1);
        pool.Release(second);
        pool.Acquire();
        Assert.True(pool.TryFind(1, out int found));
        Assert.Equal(first, found);
    }
}
