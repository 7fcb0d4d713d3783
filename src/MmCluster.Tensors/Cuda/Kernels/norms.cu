// RMSNorm and LayerNorm of rows of 16-bit elements, in float32. A block has blockDim.y rows, each of blockDim.x threads; short rows have one warp each, so
// that no barrier is needed. A thread takes 8 neighbours at a time and keeps them in registers between the two passes: a row has at most
// 8 VECTORS blockDim.x elements, a multiple of 8, and begins on 16 bytes.
// With `residual`, x is first added to it, and it is written back: residual += x; y = norm(residual).
#include "half.cuh"

constexpr int VECTORS = 4;

DI uint4 add8(uint4 a, uint4 b)
{
    return make_uint4(pack(low(a.x) + low(b.x), high(a.x) + high(b.x)), pack(low(a.y) + low(b.y), high(a.y) + high(b.y)),
        pack(low(a.z) + low(b.z), high(a.z) + high(b.z)), pack(low(a.w) + low(b.w), high(a.w) + high(b.w)));
}

DI float sum8(uint4 a) { return low(a.x) + high(a.x) + low(a.y) + high(a.y) + low(a.z) + high(a.z) + low(a.w) + high(a.w); }

DI float squares8(uint4 a, float mean)
{
    const float e[8] = {low(a.x), high(a.x), low(a.y), high(a.y), low(a.z), high(a.z), low(a.w), high(a.w)};
    float sum = 0;
#pragma unroll
    for (int i = 0; i < 8; i++)
    {
        sum += (e[i] - mean) * (e[i] - mean);
    }
    return sum;
}

// (x - mean) scale gain + bias
DI u32 scale2(u32 x, float2 gain, float2 bias, float mean, float scale)
{
    return pack((low(x) - mean) * scale * gain.x + bias.x, (high(x) - mean) * scale * gain.y + bias.y);
}

// Over the threads of a row. Rows of several warps are alone in their block.
DI float row_sum(float x, float* shared) { return blockDim.x == 32 ? warp_sum(x) : block_sum(x, shared); }

template <bool CENTERED>
DI void norm(const u16* x, i64 x_step, u16* residual, i64 residual_step, const float* gain, const float* bias, u16* y, i64 y_step,
    i64 rows, int columns, float eps)
{
    __shared__ float partial[32];
    pdl_launch();
    float2 w[VECTORS][4];
    auto load_gain = [&](int i)
    {
        const int at = (i * blockDim.x + threadIdx.x) * 8;
#pragma unroll
        for (int j = 0; j < 4; j++)
        {
            w[i][j] = gain && at < columns ? ((const float2*)(gain + at))[j] : make_float2(1, 1);
        }
    };
#pragma unroll
    for (int i = 0; i < VECTORS && !CENTERED; i++) // a constant, so it is read while the kernel in front still runs; LayerNorm has no registers left for it
    {
        load_gain(i);
    }
    pdl_wait();
    const i64 row = (i64)blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows)
    {
        return;
    }
    uint4 v[VECTORS];
    float sum = 0;
#pragma unroll
    for (int i = 0; i < VECTORS; i++)
    {
        const int at = (i * blockDim.x + threadIdx.x) * 8;
        v[i] = at < columns ? *(const uint4*)(x + row * x_step + at) : make_uint4(0, 0, 0, 0);
    }
    if (residual)
    {
#pragma unroll
        for (int i = 0; i < VECTORS; i++)
        {
            const int at = (i * blockDim.x + threadIdx.x) * 8;
            if (at < columns)
            {
                uint4* r = (uint4*)(residual + row * residual_step + at);
                *r = v[i] = add8(v[i], *r);
            }
        }
    }
#pragma unroll
    for (int i = 0; i < VECTORS; i++)
    {
        sum += CENTERED ? sum8(v[i]) : squares8(v[i], 0.f); // of zeros past the end
    }
    float mean = 0;
    if (CENTERED)
    {
        mean = row_sum(sum, partial) / columns;
        sum = 0;
#pragma unroll
        for (int i = 0; i < VECTORS; i++)
        {
            sum += (i * blockDim.x + threadIdx.x) * 8 < columns ? squares8(v[i], mean) : 0.f;
        }
    }
    const float scale = rsqrtf(row_sum(sum, partial) / columns + eps);
#pragma unroll
    for (int i = 0; i < VECTORS; i++)
    {
        const int at = (i * blockDim.x + threadIdx.x) * 8;
        if (at < columns)
        {
            if (CENTERED)
            {
                load_gain(i);
            }
            float2 b[4];
#pragma unroll
            for (int j = 0; j < 4; j++)
            {
                b[j] = bias ? ((const float2*)(bias + at))[j] : make_float2(0, 0);
            }
            *(uint4*)(y + row * y_step + at) = make_uint4(scale2(v[i].x, w[i][0], b[0], mean, scale), scale2(v[i].y, w[i][1], b[1], mean, scale),
                scale2(v[i].z, w[i][2], b[2], mean, scale), scale2(v[i].w, w[i][3], b[3], mean, scale));
        }
    }
}

extern "C" __global__ void __launch_bounds__(1024) rms_norm(const u16* x, i64 x_step, u16* residual, i64 residual_step,
    const float* gain, u16* y, i64 y_step, i64 rows, int columns, float eps)
{
    norm<false>(x, x_step, residual, residual_step, gain, nullptr, y, y_step, rows, columns, eps);
}

extern "C" __global__ void __launch_bounds__(1024) layer_norm(const u16* x, i64 x_step, u16* residual, i64 residual_step,
    const float* gain, const float* bias, u16* y, i64 y_step, i64 rows, int columns, float eps)
{
    norm<true>(x, x_step, residual, residual_step, gain, bias, y, y_step, rows, columns, eps);
}
