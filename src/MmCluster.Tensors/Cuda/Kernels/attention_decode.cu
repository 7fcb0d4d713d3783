// Attention of one new token a sequence over the paged cache: RoPE, the append of the token's key and value, softmax(q Kᵀ) V split over the context, and
// the sum of the splits, in one launch. Bound by reading the cache once.
//
// Cache of a layer: [block][kv head][keys 16 x D, then values 16 x D], a block being 16 positions.
// Grid: (kv heads x tiles of 8 query heads, splits, sequences). Lengths, positions and tables are read here, so one captured graph serves all contexts.
// A warp takes a block of positions: its heads (at most 8 of one group, rows of the A operand) times 16 keys, then 16 values times 8 heads.
//
// Layout. As in gemv.cu, the k of a product is permuted so that operands come from global memory in 16-byte loads:
//   scores [8 heads, 16 positions] = q Kᵀ: lane (g, t) has 8 neighbours of every 32 dimensions of keys g and g + 8;
//   outputs [D, 8 heads] = Vᵀ Pᵀ: lane (g, t) has 8 neighbours of every 64 dimensions of values 2t, 2t + 1, 2t + 8, 2t + 9. Two positions make a word
//   of the A operand by byte permutation, and the scores are already where the B operand wants the probabilities.
// So neither shared memory nor shuffles lie between the loads and the products, and a group of any size costs what one head costs.
#include "rope.cuh"

#ifndef HEAD_DIM
#define HEAD_DIM 128 // a multiple of 16
#endif
#ifndef WARPS
#define WARPS 8
#define MIN_BLOCKS 2
#endif

constexpr int D = HEAD_DIM, Block = 16, Heads = 8;
constexpr int Pitch = D + 8;          // of a head in shared memory: 8 rows of 16-byte reads touch different banks
constexpr float Nothing = -1e30f;     // a score that is not there; finite, so that differences are
constexpr int KeyWords = D / 8;       // a lane's words of a key: 4 of every 32 dimensions, 2 of 16 left over
constexpr int ValueWords = D / 16;    // a lane's words of a value: 4 of every 64 dimensions, then 2 of 32, then 1 of 16

DI void load16(u32* to, const u16* p) { asm volatile("ld.global.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3]) : "l"(p) : "memory"); }
DI void load8(u32* to, const u16* p) { asm volatile("ld.global.L1::no_allocate.v2.u32 {%0,%1}, [%2];" : "=r"(to[0]), "=r"(to[1]) : "l"(p) : "memory"); }
DI void load4(u32* to, const u16* p) { asm volatile("ld.global.L1::no_allocate.u32 %0, [%1];" : "=r"(to[0]) : "l"(p) : "memory"); }

// Words of a row for lane t of 4, in the order of the products' k.
DI void load_key(u32 (&w)[KeyWords], const u16* row, int t)
{
#pragma unroll
    for (int c = 0; c < D / 32; c++)
    {
        load16(w + 4 * c, row + c * 32 + t * 8);
    }
    if (D % 32)
    {
        load8(w + KeyWords - 2, row + D / 32 * 32 + t * 4);
    }
}

// The same of a head of shared memory.
DI void read_query(u32 (&w)[KeyWords], const u16* row, int t)
{
#pragma unroll
    for (int c = 0; c < D / 32; c++)
    {
        *(uint4*)(w + 4 * c) = *(const uint4*)(row + c * 32 + t * 8);
    }
    if (D % 32)
    {
        *(uint2*)(w + KeyWords - 2) = *(const uint2*)(row + D / 32 * 32 + t * 4);
    }
}

DI void load_value(u32 (&w)[ValueWords], const u16* row, int g)
{
#pragma unroll
    for (int c = 0; c < D / 64; c++)
    {
        load16(w + 4 * c, row + c * 64 + g * 8);
    }
    if (D % 64 >= 32)
    {
        load8(w + D / 64 * 4, row + D / 64 * 64 + g * 4);
    }
    if (D % 32)
    {
        load4(w + ValueWords - 1, row + D / 32 * 32 + g * 2);
    }
}

// The first of the two dimensions in word i of lane g.
DI int dimension(int i, int g)
{
    if (i < D / 64 * 4)
    {
        return i / 4 * 64 + g * 8 + i % 4 * 2;
    }
    if (D % 64 >= 32 && i < D / 64 * 4 + 2)
    {
        return D / 64 * 64 + g * 4 + (i - D / 64 * 4) * 2;
    }
    return D / 32 * 32 + g * 2;
}

DI u32 both_low(u32 a, u32 b) { return __byte_perm(a, b, 0x5410); }
DI u32 both_high(u32 a, u32 b) { return __byte_perm(a, b, 0x7632); }

extern "C" __global__ void __launch_bounds__(WARPS * 32, MIN_BLOCKS) attention_decode(
    const u16* q, const u16* k, const u16* v, // [sequences, heads or kv heads, D], rows q_step, k_step, v_step apart
    i64 q_step, i64 k_step, i64 v_step,
    u16* cache,
    const int* lengths,                       // [sequences] with the new token; 0: nothing to do, the output is zeros
    const int* tables, int table_step,        // [sequences, table_step] blocks
    const int* slots, const int* positions,   // [sequences]
    const float* cos, const float* sin, int rotary, int interleaved,
    float* partial,                           // [sequences, gridDim.x, splits, 8, D]
    float2* partial_softmax,                  // [sequences, gridDim.x, splits, 8] largest score, sum
    int* arrivals,                            // [sequences, gridDim.x] zeros, and zeros again afterwards
    u16* y, i64 y_step,                       // [sequences, heads, D], rows y_step apart
    int heads, int kv_heads, int window,      // window <= 0: none
    float scale, float soft_cap)              // scale includes log2 e, so that softmax uses powers of 2; soft_cap 0: none, and likewise
{
    __shared__ __align__(16) u16 query[Heads + 1][Pitch]; // the turned queries, and the turned key behind them
    extern __shared__ float sums[];                       // [WARPS][min(8, group)][D]
    __shared__ float largest[WARPS][Heads], total[WARPS][Heads];
    __shared__ int is_last;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, g = lane >> 2, t = lane & 3;
    const int split = blockIdx.y, splits = gridDim.y, m = blockIdx.z;
    const int group = heads / kv_heads, tiles = (group + Heads - 1) / Heads, kv_head = blockIdx.x / tiles;
    const int first_head = kv_head * group + blockIdx.x % tiles * Heads, count = min(Heads, group - blockIdx.x % tiles * Heads), width = min(Heads, group);

    for (int i = threadIdx.x; i < (Heads - count) * D; i += WARPS * 32)
    {
        query[count + i / D][i % D] = 0;
    }
    pdl_launch();

    // One token alone waits for chains of loads that need each other's results. What a step is told (lengths, positions, tables) is there before the step's
    // first kernel, so it is read while the kernel in front still runs.
    const int length = lengths[m], position = cos ? positions[m] : 0, slot = slots[m];

    // Blocks of this split, and of this warp: begin + warp, + WARPS, ...
    const int newest = length - 1;
    const int oldest = window > 0 ? max(0, length - window) : 0;
    const int first = oldest / Block, last = newest / Block, blocks = length > 0 ? last + 1 - first : 0;
    const int each = (blocks + splits - 1) / splits, begin = first + split * each, end = min(begin + each, first + blocks);
    const int* table = tables + (i64)m * table_step;
    const i64 head_size = 2 * Block * D;
    int block = begin + warp;
    const int own_block = block < end ? table[block] : 0;
    pdl_wait();
    auto keys_of = [&](int at) { return cache + ((i64)at * kv_heads + kv_head) * head_size; };

    u32 key[2][KeyWords], value[4][ValueWords];
    auto load_keys = [&](int at)
    {
        const u16* keys = keys_of(at);
        load_key(key[0], keys + g * D, t);
        load_key(key[1], keys + (g + 8) * D, t);
    };
    auto load_values = [&](int at)
    {
        const u16* values = keys_of(at) + Block * D;
#pragma unroll
        for (int i = 0; i < 4; i++)
        {
            load_value(value[i], values + (2 * t + (i & 1) + (i >> 1) * 8) * D, g);
        }
    };

    const bool early = block < end && block != last; // the last block waits for its newest position
    if (early)
    {
        load_keys(own_block);
        load_values(own_block);
    }

    const Rope rope{cos, sin, rotary, interleaved};
    const u16* own_key = k + m * k_step + kv_head * D;
    for (int i = threadIdx.x; i < (count + 1) * D && length > 0; i += WARPS * 32)
    {
        const int head = i / D, d = i % D;
        const u16* x = head == count ? own_key : q + m * q_step + (i64)(first_head + head) * D;
        query[head == count ? Heads : head][d] = narrow(turned(rope, x, d, position));
    }
    __syncthreads();

    // The warp that reads the newest position writes it; the other tiles of the group write the same bytes.
    if (length > 0 && end == first + blocks && begin < end && (last - begin) % WARPS == warp && slot >= 0)
    {
        u16* to = cache + ((i64)(slot / Block) * kv_heads + kv_head) * head_size + slot % Block * D;
        for (int i = lane; i < D / 8; i += 32)
        {
            *(uint4*)(to + i * 8) = *(const uint4*)(&query[Heads][i * 8]);
            *(uint4*)(to + Block * D + i * 8) = *(const uint4*)(v + m * v_step + kv_head * D + i * 8);
        }
        __syncwarp();
    }
    if (block < end && !early)
    {
        load_keys(own_block);
        load_values(own_block);
    }

    float o[ValueWords][4] = {}, top = Nothing, sum = 0;
    for (; block < end; block += WARPS)
    {
        float s[2][4] = {};
        u32 a[KeyWords]; // read again for every block: kept, it would cost half of the warps that fit
        read_query(a, query[g], t);
#pragma unroll
        for (int i = 0; i < KeyWords; i += 2)
        {
            mma(s[0], a[i], 0, a[i + 1], 0, key[0][i], key[0][i + 1]);
            mma(s[1], a[i], 0, a[i + 1], 0, key[1][i], key[1][i + 1]);
        }
        const int next = block + WARPS, next_block = next < end ? table[next] : 0;
        if (next < end)
        {
            load_keys(next_block);
        }

        // Head g's scores of positions 2t, 2t + 1, 2t + 8, 2t + 9.
        float p[4];
        float high_score = top;
#pragma unroll
        for (int i = 0; i < 4; i++)
        {
            const int at = block * Block + 2 * t + (i & 1) + (i >> 1) * 8;
            float x = s[i >> 1][i & 1] * scale;
            if (soft_cap > 0)
            {
                x = soft_cap * tanhf(x / soft_cap);
            }
            p[i] = at <= newest && at >= oldest ? x : Nothing;
            high_score = fmaxf(high_score, p[i]);
        }
        high_score = fmaxf(high_score, __shfl_xor_sync(~0u, high_score, 1));
        high_score = fmaxf(high_score, __shfl_xor_sync(~0u, high_score, 2));
        const float shrink = power2(top - high_score);
        top = high_score;
        sum *= shrink;
#pragma unroll
        for (int i = 0; i < 4; i++)
        {
            p[i] = p[i] == Nothing ? 0.f : power2(p[i] - top);
            sum += p[i];
        }
        if (__any_sync(~0u, shrink != 1.f)) // outputs of heads 2t and 2t + 1 lie here, their shrinkage in lanes 8t and 8t + 4
        {
            const float even = __shfl_sync(~0u, shrink, 8 * t), odd = __shfl_sync(~0u, shrink, 8 * t + 4);
#pragma unroll
            for (int i = 0; i < ValueWords; i++)
            {
                o[i][0] *= even;
                o[i][1] *= odd;
                o[i][2] *= even;
                o[i][3] *= odd;
            }
        }
        if (block == last) // positions past the newest were never written, and 0 times an infinity is no 0
        {
#pragma unroll
            for (int r = 0; r < 4; r++)
            {
                const bool there = block * Block + 2 * t + (r & 1) + (r >> 1) * 8 <= newest;
#pragma unroll
                for (int i = 0; i < ValueWords; i++)
                {
                    value[r][i] = there ? value[r][i] : 0;
                }
            }
        }
        const u32 b0 = pack(p[0], p[1]), b1 = pack(p[2], p[3]);
#pragma unroll
        for (int i = 0; i < ValueWords; i++)
        {
            mma(o[i], both_low(value[0][i], value[1][i]), both_high(value[0][i], value[1][i]),
                both_low(value[2][i], value[3][i]), both_high(value[2][i], value[3][i]), b0, b1);
        }
        if (next < end)
        {
            load_values(next_block);
        }
    }

    // Sum of the warps.
    sum += __shfl_xor_sync(~0u, sum, 1);
    sum += __shfl_xor_sync(~0u, sum, 2);
    if (t == 0)
    {
        largest[warp][g] = top;
        total[warp][g] = sum;
    }
#pragma unroll
    for (int e = 0; e < 2; e++)
    {
        if (2 * t + e < count)
        {
#pragma unroll
            for (int i = 0; i < ValueWords; i++)
            {
                *(float2*)&sums[(warp * width + 2 * t + e) * D + dimension(i, g)] = make_float2(o[i][e], o[i][e + 2]);
            }
        }
    }
    __syncthreads();
    const i64 tile = (i64)m * gridDim.x + blockIdx.x;
    for (int i = threadIdx.x; i < count * D; i += WARPS * 32)
    {
        const int head = i / D, d = i % D;
        float top_all = Nothing, sum_all = 0, out = 0;
#pragma unroll
        for (int w = 0; w < WARPS; w++)
        {
            top_all = fmaxf(top_all, largest[w][head]);
        }
#pragma unroll
        for (int w = 0; w < WARPS; w++)
        {
            const float f = power2(largest[w][head] - top_all);
            sum_all += total[w][head] * f;
            out += sums[(w * width + head) * D + d] * f;
        }
        if (splits == 1)
        {
            y[m * y_step + (i64)(first_head + head) * D + d] = narrow(sum_all > 0 ? out / sum_all : 0.f);
            continue;
        }
        const i64 at = (tile * splits + split) * Heads + head;
        partial[at * D + d] = out;
        if (d == 0)
        {
            partial_softmax[at] = make_float2(top_all, sum_all);
        }
    }
    if (splits == 1)
    {
        return;
    }

    // The block that comes last adds up all splits, in their order.
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0)
    {
        is_last = atomicAdd(arrivals + tile, 1) == splits - 1;
        if (is_last)
        {
            arrivals[tile] = 0;
        }
    }
    __syncthreads();
    if (!is_last)
    {
        return;
    }
    __threadfence();
    for (int i = threadIdx.x; i < count * D; i += WARPS * 32)
    {
        const int head = i / D, d = i % D;
        float top_all = Nothing, sum_all = 0, out = 0;
#pragma unroll 4
        for (int s = 0; s < splits; s++)
        {
            const i64 at = (tile * splits + s) * Heads + head;
            const float2 softmax = __ldcg(&partial_softmax[at]);
            const float part = __ldcg(&partial[at * D + d]), top_both = fmaxf(top_all, softmax.x);
            const float former = power2(top_all - top_both), f = power2(softmax.x - top_both);
            sum_all = sum_all * former + softmax.y * f;
            out = out * former + part * f;
            top_all = top_both;
        }
        y[m * y_step + (i64)(first_head + head) * D + d] = narrow(sum_all > 0 ? out / sum_all : 0.f);
    }
}
