// Products of 1 to 16 tokens with a large matrix, y = x Wᵀ: bound by reading W once, so everything here serves that one stream.
//
// Layout. W [N, K] row-major is the A operand of m16n8k16 (rows of W are the 16), the tokens are B (tokens are the 8). Which k goes where inside a
// product does not matter as long as both operands agree, so a lane takes the 8 neighbours k = 32 chunk + 8 t ... + 7 of its rows: each fragment is one
// 16-byte load from global memory, without shuffle or shared memory, and feeds two products.
// The warps of a block split K; their sums meet in shared memory, always in the same order.
//
// Fused in: RMSNorm of x (x g goes into the product, 1 / rms multiplies its result, as it is the same for all k), bias, activation, residual, and
// act(gate) * up where W holds the gate's rows above the up projection's.
//
// The first loads of W are issued before pdl_wait(): they do not depend on the previous kernel. The gain is rounded to the elements' type
// meanwhile; it lies in dynamic shared memory, 2 K bytes.
//
// N is any number, K a multiple of 32; rows of x begin on 16 bytes. Grid: ceil(N / (16 ROW_TILES)), or ceil(N / 2 / (8 ROW_TILES)) for gated.
#include "fast_activation.cuh"

#ifndef WARPS
#define WARPS 8       // that split K
#define UNROLL 4      // chunks of 32 k in flight for each row
#define PREFETCH 0    // 1: the next chunks are loaded before these are used
#define MIN_BLOCKS 2  // a multiprocessor holds
#define ROW_TILES 2   // of 16 rows, for a block
#define TOKEN_TILES 1 // of 8 tokens
#endif

enum { STORE, ADD, GATED, FLOAT };

struct Gemv
{
    const u16* W;    // [N, K]
    const u16* X;    // [M, K], rows x_step apart
    const float* gain; // [K], for RMSNorm
    const float* bias; // [N] or null
    void* Y;         // [M, N] ([M, N / 2] when gated), rows y_step apart
    i64 x_step, y_step;
    int M, N, K, act;
    float eps;
};

DI void load_chunks(uint4 (&a)[ROW_TILES][2][UNROLL], const u16* const (&row)[ROW_TILES][2], int first, int chunks)
{
#pragma unroll
    for (int u = 0; u < UNROLL; u++)
    {
#pragma unroll
        for (int r = 0; r < ROW_TILES; r++)
        {
            bool inside = first + u < chunks;
            a[r][0][u] = inside ? load_stream(row[r][0] + (first + u) * 32) : make_uint4(0, 0, 0, 0);
            a[r][1][u] = inside ? load_stream(row[r][1] + (first + u) * 32) : make_uint4(0, 0, 0, 0);
        }
    }
}

DI float square_sum(uint4 v)
{
    return low(v.x) * low(v.x) + high(v.x) * high(v.x) + low(v.y) * low(v.y) + high(v.y) * high(v.y)
        + low(v.z) * low(v.z) + high(v.z) * high(v.z) + low(v.w) * low(v.w) + high(v.w) * high(v.w);
}

template <int EPILOGUE, bool NORM>
DI void gemv(const Gemv& p)
{
    constexpr int Tile = 128; // sums of 16 rows and 8 tokens
    __shared__ float sums[WARPS][ROW_TILES * TOKEN_TILES * Tile];
    __shared__ float squares[WARPS][TOKEN_TILES * 8];
    extern __shared__ __align__(16) u32 gains[]; // [K / 2] words
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, g = lane >> 2, t = lane & 3;
    const int chunks = p.K >> 5, half = p.N >> 1;

    // A row past the end is read as the last one and not stored.
    const u16* row[ROW_TILES][2];
#pragma unroll
    for (int r = 0; r < ROW_TILES; r++)
    {
        const int tile = blockIdx.x * ROW_TILES + r;
        const int first = EPILOGUE == GATED ? min(tile * 8 + g, half - 1) : min(tile * 16 + g, p.N - 1);
        const int second = EPILOGUE == GATED ? half + first : min(tile * 16 + g + 8, p.N - 1);
        row[r][0] = p.W + (i64)first * p.K + t * 8;
        row[r][1] = p.W + (i64)second * p.K + t * 8;
    }

    float c[ROW_TILES][TOKEN_TILES][4] = {};
    float square[TOKEN_TILES] = {};
    uint4 a[ROW_TILES][2][UNROLL];
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
    pdl_wait();
    while (chunk < chunks)
    {
        const int next = chunk + WARPS * UNROLL;
#if PREFETCH
        uint4 ahead[ROW_TILES][2][UNROLL];
        if (next < chunks)
        {
            load_chunks(ahead, row, next, chunks);
        }
#endif
#pragma unroll
        for (int u = 0; u < UNROLL; u++)
        {
            const bool inside = chunk + u < chunks;
            const int k = (chunk + u) * 32 + t * 8;
            uint4 gain = make_uint4(0, 0, 0, 0);
            if (NORM && inside)
            {
                gain = *(const uint4*)(gains + k / 2);
            }
#pragma unroll
            for (int n = 0; n < TOKEN_TILES; n++)
            {
                uint4 x = make_uint4(0, 0, 0, 0);
                if (inside && n * 8 + g < p.M)
                {
                    x = *(const uint4*)(p.X + (n * 8 + g) * p.x_step + k);
                }
                if (NORM)
                {
                    square[n] += square_sum(x);
                    x = make_uint4(multiply(x.x, gain.x), multiply(x.y, gain.y), multiply(x.z, gain.z), multiply(x.w, gain.w));
                }
#pragma unroll
                for (int r = 0; r < ROW_TILES; r++)
                {
                    mma(c[r][n], a[r][0][u].x, a[r][1][u].x, a[r][0][u].y, a[r][1][u].y, x.x, x.y);
                    mma(c[r][n], a[r][0][u].z, a[r][1][u].z, a[r][0][u].w, a[r][1][u].w, x.z, x.w);
                }
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

    // Neighbouring threads take neighbouring rows of W, so outputs of one token.
    constexpr int Rows = EPILOGUE == GATED ? 8 : 16;
    for (int i = threadIdx.x; i < ROW_TILES * TOKEN_TILES * Rows * 8; i += WARPS * 32)
    {
        const int r = i % Rows, n = i / (Rows * 8) % TOKEN_TILES, tile = i / (Rows * 8) / TOKEN_TILES;
        const int token = n * 8 + i / Rows % 8, out = (blockIdx.x * ROW_TILES + tile) * Rows + r;
        if (token >= p.M || out >= (EPILOGUE == GATED ? half : p.N))
        {
            continue;
        }
        const int at = (tile * TOKEN_TILES + n) * Tile + r * 8 + token % 8;
        const float norm = NORM ? inverse_rms(token) : 1.f;
        float y = total(at) * norm + (p.bias ? p.bias[out] : 0.f);
        const i64 to = token * p.y_step + out;
        if (EPILOGUE == GATED)
        {
            const float up = total(at + 64) * norm + (p.bias ? p.bias[half + out] : 0.f);
            ((u16*)p.Y)[to] = narrow(activate_fast(y, p.act) * up);
        }
        else if (EPILOGUE == ADD)
        {
            ((u16*)p.Y)[to] = narrow(y + widen(((u16*)p.Y)[to]));
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
        const u16* W, const u16* X, const float* gain, const float* bias, void* Y, i64 x_step, i64 y_step, int M, int N, int K, int act, float eps) \
    { \
        gemv<epilogue, norm>(Gemv{W, X, gain, bias, Y, x_step, y_step, M, N, K, act, eps}); \
    }

GEMV(gemv, STORE, false)
GEMV(gemv_float, FLOAT, false)
GEMV(gemv_add, ADD, false)
GEMV(gemv_gated, GATED, false)
GEMV(gemv_norm, STORE, true)
GEMV(gemv_norm_float, FLOAT, true)
GEMV(gemv_norm_gated, GATED, true)
