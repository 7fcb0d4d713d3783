// Attention of many queries (flash attention, arXiv 2205.14135): a block holds 16 ROW_TILES WARPS queries of one head and passes over the keys in tiles of
// KEYS, keeping each row's largest score and sum. Keys and values come through a two-stage ring of cp.async copies.
//
// Keys and values: PAGED=1 reads the paged cache, [block][kv head][keys 16 x D, then values 16 x D]; PAGED=0 reads rows of strided tensors (encoders).
// Queries: a ragged batch given by query_starts [sequences + 1] (null: every sequence has query_length), so that whole prompts, chunks that continue a
// cached prefix and single tokens share a launch. Grid: (heads, tiles of queries, 1); the y of a ragged batch counts the tiles of all sequences and may
// be larger than their number. Late tiles of a sequence, which see most keys, come first.
//
// What a row sees: positions [first, end) with end = its own + 1 when causal, visible_ends[token] where given, else all; first from the window and
// visible_starts[token] where given. Rows sit at
// the end of their sequence (queries_last) or at its beginning.
//
// Layout. D is padded with zeros to a multiple of 16 in shared memory; rows are Pitch apart, an odd number of 16-byte pieces, so that ldmatrix's eight
// rows lie in different banks. A row's result depends on its own keys only, in ascending order of tiles at fixed positions: chunked and whole
// prefill agree bit for bit.
#include "attention.cuh"

#ifndef HEAD_DIM
#define HEAD_DIM 128
#endif
#ifndef WARPS
#define WARPS 8
#define ROW_TILES 1  // of 16 queries, a warp
#define KEYS 64
#define MIN_BLOCKS 1
#define PAGED 1
#define SOFT_CAP 0
#endif

constexpr int D = HEAD_DIM, Padded = (D + 15) / 16 * 16, Pitch = Padded + 8, Threads = WARPS * 32;
constexpr int Queries = 16 * ROW_TILES * WARPS;
constexpr bool KeepQueries = Padded <= 128 && ROW_TILES == 1 && MIN_BLOCKS == 1; // in registers

DI void load_matrices(u32* r, u32 at)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at));
}

DI void load_transposed(u32* r, u32 at)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at));
}

DI u32 address(u32 base, int row, int column) { return base + (row * Pitch + column) * 2; }

extern "C" __global__ void __launch_bounds__(Threads, MIN_BLOCKS) attention_prefill(
    const u16* q, i64 q_batch, i64 q_step, i64 q_head,
    const u16* k, const u16* v, i64 kv_batch, i64 kv_step, i64 kv_head, // PAGED: k is the cache, the rest is not read
    const int* query_starts, int query_length,
    const int* lengths, int key_length,      // [sequences] keys of each, or null: all have key_length
    const int* tables, int table_step,
    const int* visible_ends, const int* visible_starts, // [tokens] or null
    u16* y, i64 y_batch, i64 y_step, i64 y_head,
    int sequences, int heads, int kv_heads,
    int causal, int queries_last, int window, // window <= 0: none
    float scale, float soft_cap)             // both include log2 e
{
    extern __shared__ __align__(128) unsigned char memory[];
    const int head = blockIdx.x, own = head / (heads / kv_heads);
    const int thread = threadIdx.x, lane = thread & 31, warp = thread >> 5, g = lane >> 2, t = lane & 3;
    Tile tile;
    if (query_starts)
    {
        pdl_launch();
        pdl_wait();
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
        pdl_launch();
        pdl_wait();
    }
    const int keys = lengths ? lengths[tile.sequence] : key_length;
    const int rows = min(Queries, tile.queries - tile.first);
    const int position = tile.first + (queries_last ? keys - tile.queries : 0); // of the tile's first query
    const i64 token = tile.start + tile.first;

    const u32 sQ = shared_address(memory), sK = sQ + Queries * Pitch * 2, sV = sK + 2 * KEYS * Pitch * 2;
    constexpr int Pieces = Padded / 8; // of 16 bytes, a row
    q += tile.sequence * q_batch + token * q_step + head * q_head;
    for (int i = thread; i < Queries * Pieces; i += Threads)
    {
        const int r = i / Pieces, c = i % Pieces * 8;
        const bool there = r < rows && c < D;
        copy16(address(sQ, r, c), there ? q + r * q_step + c : q, there ? 16 : 0);
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
        for (int i0 = 0; i0 < KEYS * Pieces; i0 += Threads)
        {
            const int i = i0 + thread;
            if (KEYS * Pieces % Threads && i >= KEYS * Pieces)
            {
                break;
            }
            const int r = i / Pieces, c = i % Pieces * 8, at = j * KEYS + r;
            const bool there = at < keys && c < D;
#if PAGED
            const u16* key = there ? cache + table[at / Block] * block_size + at % Block * D + c : k;
            const u16* val = there ? key + Block * D : k;
#else
            const u16* key = there ? k + at * kv_step + c : k;
            const u16* val = there ? v + at * kv_step + c : v;
#endif
            copy16(address(sK + stage * KEYS * Pitch * 2, r, c), key, there ? 16 : 0);
            copy16(address(sV + stage * KEYS * Pitch * 2, r, c), val, there ? 16 : 0);
        }
    };

    // What the lane's rows see, rows g and g + 8 of each row tile.
    int first[ROW_TILES][2], end[ROW_TILES][2], least_end = keys, most_end = 0, most_first = 0;
#pragma unroll
    for (int i = 0; i < ROW_TILES * 2; i++)
    {
        const int r = (warp * ROW_TILES + i / 2) * 16 + g + i % 2 * 8;
        int e = r >= rows ? 0 : visible_ends ? visible_ends[token + r] : causal ? position + r + 1 : keys;
        e = min(e, keys);
        const int f = max(window > 0 ? max(0, position + r - window + 1) : 0, r < rows && visible_starts ? visible_starts[token + r] : 0);
        first[i / 2][i % 2] = f;
        end[i / 2][i % 2] = e;
        least_end = min(least_end, e);
        most_end = max(most_end, e);
        most_first = max(most_first, f);
    }
    const bool in_order = visible_ends == nullptr;
    const int tile_begin = window > 0 && in_order ? max(0, position - window + 1) / KEYS : 0;
    const int tile_end = ((causal && in_order ? min(keys, position + rows) : keys) + KEYS - 1) / KEYS;
    most_end = __reduce_max_sync(~0u, most_end);

    if (tile_begin < tile_end)
    {
        load_tile(tile_begin, 0);
    }
    commit();
    float o[ROW_TILES][Padded / 8][4] = {}, top[ROW_TILES][2], sum[ROW_TILES][2] = {};
#pragma unroll
    for (int i = 0; i < ROW_TILES * 2; i++)
    {
        top[i / 2][i % 2] = Nothing;
    }
    u32 kept[KeepQueries ? Padded / 16 : 1][4];

    for (int j = tile_begin; j < tile_end; j++)
    {
        const int stage = (j - tile_begin) & 1;
        const u32 tK = sK + stage * KEYS * Pitch * 2, tV = sV + stage * KEYS * Pitch * 2;
        if (j + 1 < tile_end)
        {
            load_tile(j + 1, stage ^ 1);
        }
        commit();
        asm volatile("cp.async.wait_group 1;");
        __syncthreads();
        if (KeepQueries && j == tile_begin)
        {
#pragma unroll
            for (int d = 0; d < Padded / 16; d++)
            {
                load_matrices(kept[d], address(sQ, warp * 16 + (lane & 15), d * 16 + (lane >> 4) * 8));
            }
        }
        if (j * KEYS < most_end)
        {
            float s[ROW_TILES][KEYS / 8][4] = {};
#pragma unroll
            for (int d = 0; d < Padded / 16; d++)
            {
                u32 a[ROW_TILES][4];
#pragma unroll
                for (int r = 0; r < ROW_TILES; r++)
                {
                    if (KeepQueries)
                    {
                        a[r][0] = kept[d][0], a[r][1] = kept[d][1], a[r][2] = kept[d][2], a[r][3] = kept[d][3];
                    }
                    else
                    {
                        load_matrices(a[r], address(sQ, (warp * ROW_TILES + r) * 16 + (lane & 15), d * 16 + (lane >> 4) * 8));
                    }
                }
#pragma unroll
                for (int n = 0; n < KEYS / 16; n++)
                {
                    u32 b[4];
                    load_matrices(b, address(tK, n * 16 + (lane & 7) + (lane >> 4) * 8, d * 16 + (lane >> 3 & 1) * 8));
#pragma unroll
                    for (int r = 0; r < ROW_TILES; r++)
                    {
                        mma(s[r][2 * n], a[r][0], a[r][1], a[r][2], a[r][3], b[0], b[1]);
                        mma(s[r][2 * n + 1], a[r][0], a[r][1], a[r][2], a[r][3], b[2], b[3]);
                    }
                }
            }
            const bool partly = (j + 1) * KEYS > least_end || j * KEYS < most_first;
#pragma unroll
            for (int i = 0; i < ROW_TILES * 2; i++)
            {
                const int r = i / 2, h = i % 2;
#if SOFT_CAP
#pragma unroll
                for (int n = 0; n < KEYS / 8; n++)
                {
                    s[r][n][2 * h] = soft_cap * tanhf(s[r][n][2 * h] * scale / soft_cap);
                    s[r][n][2 * h + 1] = soft_cap * tanhf(s[r][n][2 * h + 1] * scale / soft_cap);
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
                        s[r][n][2 * h] = at >= first[r][h] && at < end[r][h] ? s[r][n][2 * h] : Nothing;
                        s[r][n][2 * h + 1] = at + 1 >= first[r][h] && at + 1 < end[r][h] ? s[r][n][2 * h + 1] : Nothing;
                    }
                }
                float most = top[r][h];
#pragma unroll
                for (int n = 0; n < KEYS / 8; n++)
                {
                    most = fmaxf(most, fmaxf(s[r][n][2 * h], s[r][n][2 * h + 1]));
                }
                most = fmaxf(most, __shfl_xor_sync(~0u, most, 1));
                most = fmaxf(most, __shfl_xor_sync(~0u, most, 2));
                // A row that has seen nothing yet: its weights are to be 0, not the 1 of a score that equals the largest.
                const float shrink = power2((top[r][h] - most) * factor), offset = most == Nothing ? 0.f : most * factor;
                top[r][h] = most;
                float added = 0;
#pragma unroll
                for (int n = 0; n < KEYS / 8; n++)
                {
                    s[r][n][2 * h] = power2(s[r][n][2 * h] * factor - offset);
                    s[r][n][2 * h + 1] = power2(s[r][n][2 * h + 1] * factor - offset);
                    added += s[r][n][2 * h] + s[r][n][2 * h + 1];
                }
                sum[r][h] = sum[r][h] * shrink + added;
#pragma unroll
                for (int n = 0; n < Padded / 8; n++)
                {
                    o[r][n][2 * h] *= shrink;
                    o[r][n][2 * h + 1] *= shrink;
                }
            }
#pragma unroll
            for (int d = 0; d < KEYS / 16; d++)
            {
                u32 a[ROW_TILES][4];
#pragma unroll
                for (int r = 0; r < ROW_TILES; r++)
                {
                    a[r][0] = pack(s[r][2 * d][0], s[r][2 * d][1]);
                    a[r][1] = pack(s[r][2 * d][2], s[r][2 * d][3]);
                    a[r][2] = pack(s[r][2 * d + 1][0], s[r][2 * d + 1][1]);
                    a[r][3] = pack(s[r][2 * d + 1][2], s[r][2 * d + 1][3]);
                }
#pragma unroll
                for (int n = 0; n < Padded / 16; n++)
                {
                    u32 b[4];
                    load_transposed(b, address(tV, d * 16 + (lane & 15), n * 16 + (lane >> 4) * 8));
#pragma unroll
                    for (int r = 0; r < ROW_TILES; r++)
                    {
                        mma(o[r][2 * n], a[r][0], a[r][1], a[r][2], a[r][3], b[0], b[1]);
                        mma(o[r][2 * n + 1], a[r][0], a[r][1], a[r][2], a[r][3], b[2], b[3]);
                    }
                }
            }
        }
        __syncthreads();
    }

    y += tile.sequence * y_batch + token * y_step + head * y_head;
#pragma unroll
    for (int i = 0; i < ROW_TILES * 2; i++)
    {
        const int r = i / 2, h = i % 2, row = (warp * ROW_TILES + r) * 16 + g + h * 8;
        float all = sum[r][h];
        all += __shfl_xor_sync(~0u, all, 1);
        all += __shfl_xor_sync(~0u, all, 2);
        const float inverse = end[r][h] > first[r][h] ? 1.f / all : 0.f;
        if (row < rows)
        {
#pragma unroll
            for (int n = 0; n < Padded / 8; n++)
            {
                const int d = n * 8 + t * 2;
                if (Padded == D || d < D)
                {
                    *(u32*)(y + row * y_step + d) = pack(o[r][n][2 * h] * inverse, o[r][n][2 * h + 1] * inverse);
                }
            }
        }
    }
}
