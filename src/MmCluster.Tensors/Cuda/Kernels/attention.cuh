// What attention kernels over many queries share: asynchronous copies to shared memory, and which queries of a ragged batch a block takes.
#pragma once
#include "half.cuh"

constexpr int Block = 16;         // positions of a block of the cache
constexpr float Nothing = -1e30f; // a score that is not there; finite, so that differences are

DI u32 shared_address(const void* p) { return (u32)__cvta_generic_to_shared(p); }

// 16 bytes, or zeros where bytes is 0.
DI void copy16(u32 to, const void* from, int bytes) { asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" :: "r"(to), "l"(from), "r"(bytes)); }
DI void commit() { asm volatile("cp.async.commit_group;"); }

struct Tile
{
    int sequence, first; // query of the sequence
    int start, queries;  // where the sequence's queries begin, and how many there are
};

// The y-th tile of a ragged batch; sequence < 0 past the last. All threads of a warp take part: a lane counts the tiles of one sequence of 32.
template <int TILE>
DI Tile find_tile(const int* query_starts, int sequences, int y)
{
    const int lane = threadIdx.x & 31;
    for (int base = 0; base < sequences; base += 32)
    {
        const int s = base + lane;
        const int start = s < sequences ? query_starts[s] : 0, queries = s < sequences ? query_starts[s + 1] - start : 0;
        const int tiles = (queries + TILE - 1) / TILE;
        int before = tiles; // of this lane and those below it
#pragma unroll
        for (int o = 1; o < 32; o <<= 1)
        {
            const int lower = __shfl_up_sync(~0u, before, o);
            before += lane >= o ? lower : 0;
        }
        const u32 found = __ballot_sync(~0u, y < before);
        if (found)
        {
            const int owner = __ffs(found) - 1;
            const int last = __shfl_sync(~0u, before, owner) - 1; // late tiles first
            return Tile{base + owner, (last - y) * TILE, __shfl_sync(~0u, start, owner), __shfl_sync(~0u, queries, owner)};
        }
        y -= __shfl_sync(~0u, before, 31);
    }
    return Tile{-1, 0, 0, 0};
}
