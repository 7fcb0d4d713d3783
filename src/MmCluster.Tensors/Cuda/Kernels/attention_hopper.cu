// Attention of many queries as in attention_prefill.cu, on Hopper's warpgroup products: same parameters, same masks, same grid.
// A warpgroup has 64 queries. Scores take queries and keys from shared memory; outputs take the probabilities from the registers in which the scores
// lie, and values from shared memory.
//
// Layout. Queries, keys and values lie in shared memory as [64 dimensions][row][128 bytes] with the 16-byte pieces of a row exchanged by piece ^ row % 8,
// the 128-byte swizzle that a descriptor names; so D is a multiple of 64. Values are read transposed (their descriptor's major axis is the dimension).
#include "attention.cuh"

#ifndef HEAD_DIM
#define HEAD_DIM 128
#endif
#ifndef WARPGROUPS
#define WARPGROUPS 2
#define KEYS 64      // 64 or 128
#define MIN_BLOCKS 1
#define PAGED 1
#define SOFT_CAP 0
#endif

#if __CUDA_ARCH__ >= 900 && __CUDA_ARCH__ < 1000
constexpr int D = HEAD_DIM, Threads = WARPGROUPS * 128, Queries = 64 * WARPGROUPS;

// Start, distance between 64-dimension parts (transposed operands only), distance between 8 rows, 128-byte swizzle.
DI u64 descriptor(u32 at, u32 parts) { return (u64)((at & 0x3ffff) >> 4) | (u64)(parts >> 4) << 16 | (u64)(1024 >> 4) << 32 | (u64)1 << 62; }

#define LIST16(c, i) "+f"(c[i]), "+f"(c[i + 1]), "+f"(c[i + 2]), "+f"(c[i + 3]), "+f"(c[i + 4]), "+f"(c[i + 5]), "+f"(c[i + 6]), "+f"(c[i + 7]), \
    "+f"(c[i + 8]), "+f"(c[i + 9]), "+f"(c[i + 10]), "+f"(c[i + 11]), "+f"(c[i + 12]), "+f"(c[i + 13]), "+f"(c[i + 14]), "+f"(c[i + 15])
#define REGISTERS32 "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31}"
#define REGISTERS64 "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31," \
    "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63}"

// c [64, N] = a [64, 16] b [N, 16]ᵀ, plus c where adds; both in shared memory, rows along k.
DI void multiply_shared(float (&c)[32], u64 a, u64 b, int adds)
{
    asm volatile("{.reg .pred p; setp.ne.b32 p, %34, 0; wgmma.mma_async.sync.aligned.m64n64k16.f32." MMA_TYPES " " REGISTERS32 ", %32, %33, p, 1, 1, 0, 0;}"
        : LIST16(c, 0), LIST16(c, 16) : "l"(a), "l"(b), "r"(adds));
}

DI void multiply_shared(float (&c)[64], u64 a, u64 b, int adds)
{
    asm volatile("{.reg .pred p; setp.ne.b32 p, %66, 0; wgmma.mma_async.sync.aligned.m64n128k16.f32." MMA_TYPES " " REGISTERS64 ", %64, %65, p, 1, 1, 0, 0;}"
        : LIST16(c, 0), LIST16(c, 16), LIST16(c, 32), LIST16(c, 48) : "l"(a), "l"(b), "r"(adds));
}

// c [64, N] += a [64, 16] b [16, N]: a in registers, b in shared memory, rows along N.
DI void multiply_registers(float (&c)[32], const u32 (&a)[4], u64 b)
{
    asm volatile("wgmma.mma_async.sync.aligned.m64n64k16.f32." MMA_TYPES " " REGISTERS32 ", {%32,%33,%34,%35}, %36, 1, 1, 1, 1;"
        : LIST16(c, 0), LIST16(c, 16) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}

DI void multiply_registers(float (&c)[64], const u32 (&a)[4], u64 b)
{
    asm volatile("wgmma.mma_async.sync.aligned.m64n128k16.f32." MMA_TYPES " " REGISTERS64 ", {%64,%65,%66,%67}, %68, 1, 1, 1, 1;"
        : LIST16(c, 0), LIST16(c, 16), LIST16(c, 32), LIST16(c, 48) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}

DI void begin_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DI void end_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
DI void await_products() { asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory"); }

// Of the 8 elements at a column, in a matrix of some rows.
DI u32 address(u32 base, int rows, int row, int column) { return base + (column / 64 * rows + row) * 128 + ((column / 8 % 8 ^ row % 8) << 4); }

extern "C" __global__ void __launch_bounds__(Threads, MIN_BLOCKS) attention_hopper(
    const u16* q, i64 q_batch, i64 q_step, i64 q_head,
    const u16* k, const u16* v, i64 kv_batch, i64 kv_step, i64 kv_head, // PAGED: k is the cache, the rest is not read
    const int* query_starts, int query_length,
    const int* lengths, int key_length,
    const int* tables, int table_step,
    const int* visible_ends, const int* visible_starts,
    u16* y, i64 y_batch, i64 y_step, i64 y_head,
    int sequences, int heads, int kv_heads,
    int causal, int queries_last, int window,
    float scale, float soft_cap)
{
    extern __shared__ __align__(1024) unsigned char memory[];
    const int head = blockIdx.x, own = head / (heads / kv_heads);
    const int thread = threadIdx.x, lane = thread & 31, warp = thread >> 5, group = warp >> 2, g = lane >> 2, t = lane & 3;
    Tile tile;
    pdl_launch();
    pdl_wait();
    if (query_starts)
    {
        tile = find_tile<Queries>(query_starts, sequences, blockIdx.y);
        if (tile.sequence < 0)
        {
            return;
        }
    }
    else
    {
        const int tiles = (query_length + Queries - 1) / Queries;
        tile = Tile{(int)blockIdx.y / tiles, (tiles - 1 - (int)blockIdx.y % tiles) * Queries, 0, query_length};
    }
    const int keys = lengths ? lengths[tile.sequence] : key_length;
    const int rows = min(Queries, tile.queries - tile.first);
    const int position = tile.first + (queries_last ? keys - tile.queries : 0); // of the tile's first query
    const i64 token = tile.start + tile.first;

    constexpr int StageBytes = KEYS * D * 2;
    const u32 sQ = (shared_address(memory) + 1023) & ~1023u, sK = sQ + Queries * D * 2, sV = sK + 2 * StageBytes;
    q += tile.sequence * q_batch + token * q_step + head * q_head;
#pragma unroll 4
    for (int i = thread; i < Queries * D / 8; i += Threads)
    {
        const int r = i / (D / 8), c = i % (D / 8) * 8;
        copy16(address(sQ, Queries, r, c), r < rows ? q + r * q_step + c : q, r < rows ? 16 : 0);
    }
#if PAGED
    const int* table = tables + (i64)tile.sequence * table_step;
    const u16* cache = k + (i64)own * 2 * Block * D;
    const i64 block_size = (i64)kv_heads * 2 * Block * D;
#else
    k += tile.sequence * kv_batch + own * kv_head;
    v += tile.sequence * kv_batch + own * kv_head;
#endif
    auto load_tile = [&](int j, int stage)
    {
#pragma unroll
        for (int i = thread; i < KEYS * D / 8; i += Threads)
        {
            const int r = i / (D / 8), c = i % (D / 8) * 8, at = j * KEYS + r;
            const bool there = at < keys;
#if PAGED
            const u16* key = there ? cache + table[at / Block] * block_size + at % Block * D + c : k;
            const u16* val = there ? key + Block * D : k;
#else
            const u16* key = there ? k + at * kv_step + c : k;
            const u16* val = there ? v + at * kv_step + c : v;
#endif
            copy16(address(sK + stage * StageBytes, KEYS, r, c), key, there ? 16 : 0);
            copy16(address(sV + stage * StageBytes, KEYS, r, c), val, there ? 16 : 0);
        }
    };

    // What the lane's rows g and g + 8 of its warp see.
    int first[2], end[2];
#pragma unroll
    for (int i = 0; i < 2; i++)
    {
        const int r = warp * 16 + g + i * 8;
        end[i] = min(keys, r >= rows ? 0 : visible_ends ? visible_ends[token + r] : causal ? position + r + 1 : keys);
        first[i] = max(window > 0 ? max(0, position + r - window + 1) : 0, r < rows && visible_starts ? visible_starts[token + r] : 0);
    }
    const int least_end = min(end[0], end[1]), most_first = max(first[0], first[1]);
    const bool in_order = visible_ends == nullptr;
    const int tile_begin = window > 0 && in_order ? max(0, position - window + 1) / KEYS : 0;
    const int seen = causal && in_order ? min(keys, position + rows) : keys;
    const int tile_end = (seen + KEYS - 1) / KEYS;
    const int group_rows = min(rows, (group + 1) * 64); // the warpgroup stops where its last row does
    const int group_end = group * 64 >= rows ? 0 : causal && in_order ? min(keys, position + group_rows) : keys;

    if (tile_begin < tile_end)
    {
        load_tile(tile_begin, 0);
    }
    commit();
    float o[D / 2] = {}, top[2] = {Nothing, Nothing}, sum[2] = {};
    for (int j = tile_begin; j < tile_end; j++)
    {
        const int stage = (j - tile_begin) & 1;
        asm volatile("cp.async.wait_group 0;" ::: "memory");
        asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
        __syncthreads();
        if (j + 1 < tile_end)
        {
            load_tile(j + 1, stage ^ 1);
        }
        commit();
        if (j * KEYS >= group_end)
        {
            continue;
        }

        float s[KEYS / 2];
        begin_products();
#pragma unroll
        for (int d = 0; d < D / 16; d++)
        {
            const u32 part = d % 4 * 32;
            multiply_shared(s, descriptor(sQ + d / 4 * Queries * 128 + group * 64 * 128 + part, 16),
                descriptor(sK + stage * StageBytes + d / 4 * KEYS * 128 + part, 16), d > 0);
        }
        end_products();
        await_products();

        const bool partly = (j + 1) * KEYS > least_end || j * KEYS < most_first;
#pragma unroll
        for (int h = 0; h < 2; h++)
        {
#if SOFT_CAP
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++)
            {
                s[n * 4 + 2 * h] = soft_cap * tanhf(s[n * 4 + 2 * h] * scale / soft_cap);
                s[n * 4 + 2 * h + 1] = soft_cap * tanhf(s[n * 4 + 2 * h + 1] * scale / soft_cap);
            }
            constexpr float factor = 1.f;
#else
            const float factor = scale;
#endif
            if (partly)
            {
#pragma unroll
                for (int n = 0; n < KEYS / 8; n++)
                {
                    const int at = j * KEYS + n * 8 + t * 2;
                    s[n * 4 + 2 * h] = at >= first[h] && at < end[h] ? s[n * 4 + 2 * h] : Nothing;
                    s[n * 4 + 2 * h + 1] = at + 1 >= first[h] && at + 1 < end[h] ? s[n * 4 + 2 * h + 1] : Nothing;
                }
            }
            float most = top[h];
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++)
            {
                most = fmaxf(most, fmaxf(s[n * 4 + 2 * h], s[n * 4 + 2 * h + 1]));
            }
            most = fmaxf(most, __shfl_xor_sync(~0u, most, 1));
            most = fmaxf(most, __shfl_xor_sync(~0u, most, 2));
            const float shrink = power2((top[h] - most) * factor), offset = most == Nothing ? 0.f : most * factor;
            top[h] = most;
            float added = 0;
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++)
            {
                s[n * 4 + 2 * h] = power2(s[n * 4 + 2 * h] * factor - offset);
                s[n * 4 + 2 * h + 1] = power2(s[n * 4 + 2 * h + 1] * factor - offset);
                added += s[n * 4 + 2 * h] + s[n * 4 + 2 * h + 1];
            }
            sum[h] = sum[h] * shrink + added;
#pragma unroll
            for (int n = 0; n < D / 8; n++)
            {
                o[n * 4 + 2 * h] *= shrink;
                o[n * 4 + 2 * h + 1] *= shrink;
            }
        }
        u32 p[KEYS / 16][4];
#pragma unroll
        for (int d = 0; d < KEYS / 16; d++)
        {
#pragma unroll
            for (int i = 0; i < 4; i++)
            {
                p[d][i] = pack(s[d * 8 + i * 2], s[d * 8 + i * 2 + 1]);
            }
        }
        begin_products();
#pragma unroll
        for (int d = 0; d < KEYS / 16; d++)
        {
            multiply_registers(o, p[d], descriptor(sV + stage * StageBytes + d * 16 * 128, KEYS * 128));
        }
        end_products();
        await_products();
    }

    y += tile.sequence * y_batch + token * y_step + head * y_head;
#pragma unroll
    for (int h = 0; h < 2; h++)
    {
        const int row = warp * 16 + g + h * 8;
        float all = sum[h];
        all += __shfl_xor_sync(~0u, all, 1);
        all += __shfl_xor_sync(~0u, all, 2);
        const float inverse = end[h] > first[h] ? 1.f / all : 0.f;
        if (row < rows)
        {
#pragma unroll
            for (int n = 0; n < D / 8; n++)
            {
                *(u32*)(y + row * y_step + n * 8 + t * 2) = pack(o[n * 4 + 2 * h] * inverse, o[n * 4 + 2 * h + 1] * inverse);
            }
        }
    }
}
#endif
