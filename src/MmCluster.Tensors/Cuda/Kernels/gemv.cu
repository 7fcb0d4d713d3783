// Products of few tokens with a large matrix, y = x Wᵀ: bound by reading W once, so everything here serves that one stream.
//
// Layout. W [N, K] row-major is the A operand of m16n8k16 (rows of W are the 16), the tokens are B (tokens are the 8). Which k goes where inside a
// product does not matter as long as both operands agree, so a lane reads 16 neighbouring bytes of its rows straight from global memory. With 16-bit
// elements these are its 8 neighbours k = 32 chunk + 8 t ... + 7, which feed two products; gemv_weights.cuh has the narrower formats.
// The warps of a block split K; their sums meet in shared memory, always in the same order.
//
// Fused in: RMSNorm of x (x g goes into the product, 1 / rms multiplies its result, as it is the same for all k), bias, activation, residual, and
// act(gate) * up where W holds the gate's rows above the up projection's.
//
// The first loads of W are issued before pdl_wait(): they do not depend on the previous kernel. The gain is rounded to the elements' type
// meanwhile; it lies in dynamic shared memory, 2 K bytes.
//
// N is any number, K a multiple of 8 and W's rows whole chunks (zeros from K on); rows of x begin on 16 bytes. Grid: x ceil(N / (16 ROW_TILES)), or
// ceil(N / 2 / (8 ROW_TILES)) for gated; y ceil(M / (8 TOKEN_TILES)), each of which reads W again.
#include "fast_activation.cuh"
#include "gemv_weights.cuh"

#ifndef WARPS
#define WARPS 8       // that split K
#define UNROLL 4      // chunks in flight for each row
#define PREFETCH 0    // 1: the next chunks are loaded before these are used
#define MIN_BLOCKS 2  // a multiprocessor holds
#define ROW_TILES 2   // of 16 rows, for a block
#define TOKEN_TILES 1 // of 8 tokens
#endif

enum { STORE, ADD, GATED, FLOAT };

struct Gemv
{
    const u8* W;     // [N, stored] in its format
    const void* scales;
    const u16* X;    // [M, K], rows x_step apart
    const float* gain; // [K], for RMSNorm
    const float* bias; // [N] or null
    void* Y;         // [M, N] ([M, N / 2] when gated), rows y_step apart
    i64 x_step, y_step;
    int M, N, K, stored, act;
    float eps;
};

DI void load_chunks(WeightChunk (&a)[ROW_TILES][2][UNROLL], const WeightRow (&row)[ROW_TILES][2], int first, int chunks)
{
#pragma unroll
    for (int u = 0; u < UNROLL; u++)
    {
#pragma unroll
        for (int r = 0; r < ROW_TILES; r++)
        {
            const bool inside = first + u < chunks;
            a[r][0][u] = load_chunk(row[r][0], first + u, inside);
            a[r][1][u] = load_chunk(row[r][1], first + u, inside);
        }
    }
}

DI float square_sum(uint4 v)
{
    return low(v.x) * low(v.x) + high(v.x) * high(v.x) + low(v.y) * low(v.y) + high(v.y) * high(v.y)
        + low(v.z) * low(v.z) + high(v.z) * high(v.z) + low(v.w) * low(v.w) + high(v.w) * high(v.w);
}

// The products of one part of a chunk: k of W and of the tokens to k + 31.
template <bool NORM>
DI void multiply_part(float (&c)[ROW_TILES][TOKEN_TILES][4], float (&square)[TOKEN_TILES], const WeightChunk (&a)[ROW_TILES][2][UNROLL], int u, int s,
                      int k, const Gemv& p, const u16* gains, int g, int t)
{
    uint4 x[TOKEN_TILES];
    const uint4 gain = NORM ? fragment(gains, k, p.K, t) : make_uint4(0, 0, 0, 0);
#pragma unroll
    for (int n = 0; n < TOKEN_TILES; n++)
    {
        x[n] = n * 8 + g < p.M ? fragment(p.X + (n * 8 + g) * p.x_step, k, p.K, t) : make_uint4(0, 0, 0, 0);
        if (NORM)
        {
            square[n] += square_sum(x[n]);
            x[n] = make_uint4(multiply(x[n].x, gain.x), multiply(x[n].y, gain.y), multiply(x[n].z, gain.z), multiply(x[n].w, gain.w));
        }
    }
#pragma unroll
    for (int r = 0; r < ROW_TILES; r++)
    {
        const uint4 a0 = part(a[r][0][u].values, s), a1 = part(a[r][1][u].values, s);
        const float scale0 = block_scale(a[r][0][u], s), scale1 = block_scale(a[r][1][u], s);
#pragma unroll
        for (int n = 0; n < TOKEN_TILES; n++)
        {
            float block[4] = {};
            float* sum = BLOCK_SCALES ? block : c[r][n];
            mma(sum, a0.x, a1.x, a0.y, a1.y, x[n].x, x[n].y);
            mma(sum, a0.z, a1.z, a0.w, a1.w, x[n].z, x[n].w);
            if (BLOCK_SCALES)
            {
                c[r][n][0] = fmaf(block[0], scale0, c[r][n][0]);
                c[r][n][1] = fmaf(block[1], scale0, c[r][n][1]);
                c[r][n][2] = fmaf(block[2], scale1, c[r][n][2]);
                c[r][n][3] = fmaf(block[3], scale1, c[r][n][3]);
            }
        }
    }
}

template <int EPILOGUE, bool NORM>
DI void gemv(Gemv p)
{
    constexpr int Tile = 128; // sums of 16 rows and 8 tokens
    __shared__ float sums[WARPS][ROW_TILES * TOKEN_TILES * Tile];
    __shared__ float squares[WARPS][TOKEN_TILES * 8];
    extern __shared__ __align__(16) u32 gains[]; // [K / 2] words
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, g = lane >> 2, t = lane & 3;
    const int chunks = p.stored / CHUNK, half = p.N >> 1;
    const int first_token = blockIdx.y * TOKEN_TILES * 8;
    p.X += first_token * p.x_step;
    p.M -= first_token;

    // A row past the end is read as the last one and not stored.
    WeightRow row[ROW_TILES][2];
#pragma unroll
    for (int r = 0; r < ROW_TILES; r++)
    {
        const int tile = blockIdx.x * ROW_TILES + r;
        const int first = EPILOGUE == GATED ? min(tile * 8 + g, half - 1) : min(tile * 16 + g, p.N - 1);
        const int second = EPILOGUE == GATED ? half + first : min(tile * 16 + g + 8, p.N - 1);
        row[r][0] = weight_row(p.W, p.scales, first, p.stored, t);
        row[r][1] = weight_row(p.W, p.scales, second, p.stored, t);
    }

    float c[ROW_TILES][TOKEN_TILES][4] = {};
    float square[TOKEN_TILES] = {};
    WeightChunk a[ROW_TILES][2][UNROLL];
    int chunk = warp * UNROLL;
    load_chunks(a, row, chunk, chunks);
    if (NORM)
    {
        for (int i = threadIdx.x; i < p.K / 4; i += WARPS * 32)
        {
            const float4 gain = ((const float4*)p.gain)[i];
            *(uint2*)(gains + i * 2) = make_uint2(pack(gain.x, gain.y), pack(gain.z, gain.w));
        }
        __syncthreads();
    }
    pdl_launch();

    // A thread's results. Neighbouring threads take neighbouring rows of W, so outputs of one token.
    constexpr int Rows = EPILOGUE == GATED ? 8 : 16, Results = ROW_TILES * TOKEN_TILES * Rows * 8, Each = (Results + WARPS * 32 - 1) / (WARPS * 32);
    auto token_of = [](int i) { return i / (Rows * 8) % TOKEN_TILES * 8 + i / Rows % 8; };
    auto output_of = [](int i) { return (blockIdx.x * ROW_TILES + i / (Rows * 8) / TOKEN_TILES) * Rows + i % Rows; };
    auto is_there = [&](int i) { return i < Results && token_of(i) < p.M && output_of(i) < (EPILOGUE == GATED ? half : p.N); };
    auto residual_of = [&](int i) { return widen(((const u16*)p.Y)[(first_token + token_of(i)) * p.y_step + output_of(i)]); };

    pdl_wait();
    // What results are added to is asked for now, or the end would wait for it; narrower formats have no registers left for that.
    constexpr bool Ahead = EPILOGUE == ADD && WEIGHTS == HALVES;
    float before[Each];
    if (Ahead)
    {
#pragma unroll
        for (int e = 0; e < Each; e++)
        {
            const int i = threadIdx.x + e * WARPS * 32;
            before[e] = is_there(i) ? residual_of(i) : 0.f;
        }
    }
    while (chunk < chunks)
    {
        const int next = chunk + WARPS * UNROLL;
#if PREFETCH
        WeightChunk ahead[ROW_TILES][2][UNROLL];
        if (next < chunks)
        {
            load_chunks(ahead, row, next, chunks);
        }
#endif
#pragma unroll
        for (int u = 0; u < UNROLL; u++)
        {
#pragma unroll
            for (int r = 0; r < ROW_TILES; r++)
            {
                a[r][0][u].values = arrange(a[r][0][u].values, t);
                a[r][1][u].values = arrange(a[r][1][u].values, t);
            }
#pragma unroll
            for (int s = 0; s < PARTS; s++)
            {
                multiply_part<NORM>(c, square, a, u, s, (chunk + u) * CHUNK + s * 32, p, (const u16*)gains, g, t);
            }
        }
#if PREFETCH
        if (next < chunks)
        {
#pragma unroll
            for (int r = 0; r < ROW_TILES; r++)
#pragma unroll
            for (int u = 0; u < UNROLL; u++)
            {
                a[r][0][u] = ahead[r][0][u];
                a[r][1][u] = ahead[r][1][u];
            }
        }
#else
        if (next < chunks)
        {
            load_chunks(a, row, next, chunks);
        }
#endif
        chunk = next;
    }

#pragma unroll
    for (int r = 0; r < ROW_TILES; r++)
#pragma unroll
    for (int n = 0; n < TOKEN_TILES; n++)
    {
        float* sum = &sums[warp][(r * TOKEN_TILES + n) * Tile];
        *(float2*)(sum + g * 8 + t * 2) = make_float2(c[r][n][0], c[r][n][1]);
        *(float2*)(sum + (g + 8) * 8 + t * 2) = make_float2(c[r][n][2], c[r][n][3]);
    }
    if (NORM)
    {
#pragma unroll
        for (int n = 0; n < TOKEN_TILES; n++)
        {
            float s = square[n];
            s += __shfl_xor_sync(~0u, s, 1);
            s += __shfl_xor_sync(~0u, s, 2);
            if (t == 0)
            {
                squares[warp][n * 8 + g] = s;
            }
        }
    }
    __syncthreads();

    auto total = [&](int at)
    {
        float s = 0;
#pragma unroll
        for (int w = 0; w < WARPS; w++)
        {
            s += sums[w][at];
        }
        return s;
    };
    auto inverse_rms = [&](int token)
    {
        float s = 0;
        for (int w = 0; w < WARPS; w++)
        {
            s += squares[w][token];
        }
        return rsqrtf(s / p.K + p.eps);
    };

#pragma unroll
    for (int e = 0; e < Each; e++)
    {
        const int i = threadIdx.x + e * WARPS * 32, token = token_of(i), out = output_of(i);
        if (!is_there(i))
        {
            continue;
        }
        const int at = i / (Rows * 8) * Tile + i % Rows * 8 + token % 8;
        const float norm = NORM ? inverse_rms(token) : 1.f;
        float y = total(at) * norm * row_scale(p.scales, out) + (p.bias ? p.bias[out] : 0.f);
        const i64 to = (first_token + token) * p.y_step + out;
        if (EPILOGUE == GATED)
        {
            const float up = total(at + 64) * norm * row_scale(p.scales, half + out) + (p.bias ? p.bias[half + out] : 0.f);
            ((u16*)p.Y)[to] = narrow(activate_fast(y, p.act) * up);
        }
        else if (EPILOGUE == ADD)
        {
            ((u16*)p.Y)[to] = narrow(y + (Ahead ? before[e] : residual_of(i)));
        }
        else if (EPILOGUE == FLOAT)
        {
            ((float*)p.Y)[to] = y;
        }
        else
        {
            ((u16*)p.Y)[to] = narrow(activate_fast(y, p.act));
        }
    }
}

#define GEMV(name, epilogue, norm) \
    extern "C" __global__ void __launch_bounds__(WARPS * 32, MIN_BLOCKS) name( \
        const u8* W, const void* scales, const u16* X, const float* gain, const float* bias, void* Y, i64 x_step, i64 y_step, int M, int N, int K, \
        int stored, int act, float eps) \
    { \
        gemv<epilogue, norm>(Gemv{W, scales, X, gain, bias, Y, x_step, y_step, M, N, K, stored, act, eps}); \
    }

GEMV(gemv, STORE, false)
GEMV(gemv_float, FLOAT, false)
GEMV(gemv_add, ADD, false)
GEMV(gemv_gated, GATED, false)
GEMV(gemv_norm, STORE, true)
GEMV(gemv_norm_float, FLOAT, true)
GEMV(gemv_norm_gated, GATED, true)
