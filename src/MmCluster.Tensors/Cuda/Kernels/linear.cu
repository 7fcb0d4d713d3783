// Products with weights that cuBLASLt does not take, rows of weights, and what follows a product.
#include "common.cuh"

// DType of C#; block formats are kept with values and scales apart: [N][K] signed bytes or nibbles (value j of a block low, j + 16 high), [N][K / 32] f16
enum { F32, F16, BF16, I64_, I32_, U8_, BOOL_, Q8_0, Q4_0, F8 };

DI float f8_to_float(u8 x)
{
    // e4m3: sign, 4 bits of exponent with bias 7, 3 bits of fraction; 0x7f is NaN
    int e = (x >> 3) & 15, m = x & 7;
    float v = e ? __int_as_float(((e + 120) << 23) | (m << 20)) : m * 0.001953125f;
    if ((x & 0x7f) == 0x7f) v = __int_as_float(0x7fffffff);
    return x & 0x80 ? -v : v;
}
DI u8 float_to_f8(float x)
{
    float a = fminf(fabsf(x), 448.f);
    u32 sign = x < 0 ? 0x80 : 0;
    if (a < 0.015625f) return (u8)(sign | (u32)rintf(a * 512.f)); // subnormal, in steps of 2^-9
    u32 bits = __float_as_uint(a);
    bits += 0x7ffff + ((bits >> 20) & 1); // to the nearest, ties to even
    return (u8)(sign | ((bits >> 20) - (120 << 3)));
}

// Element k of row n.
template <int W> struct Weight;
template <> struct Weight<F32> { static DI float at(const void* w, const void*, i64 n, int k, int K) { return ((const float*)w)[n * K + k]; } };
template <> struct Weight<F16> { static DI float at(const void* w, const void*, i64 n, int k, int K) { return to_float(((const f16*)w)[n * K + k]); } };
template <> struct Weight<BF16> { static DI float at(const void* w, const void*, i64 n, int k, int K) { return to_float(((const bf16*)w)[n * K + k]); } };
template <> struct Weight<Q8_0>
{
    static DI float at(const void* w, const void* s, i64 n, int k, int K)
    {
        return ((const signed char*)w)[n * K + k] * to_float(((const f16*)s)[n * (K >> 5) + (k >> 5)]);
    }
};
template <> struct Weight<Q4_0>
{
    static DI float at(const void* w, const void* s, i64 n, int k, int K)
    {
        u8 b = ((const u8*)w)[(n * K >> 1) + (k >> 5) * 16 + (k & 15)];
        return (float)((k & 16 ? b >> 4 : b & 15) - 8) * to_float(((const f16*)s)[n * (K >> 5) + (k >> 5)]);
    }
};
template <> struct Weight<F8> { static DI float at(const void* w, const void* s, i64 n, int k, int K) { return f8_to_float(((const u8*)w)[n * K + k]) * ((const float*)s)[n]; } };

// y[m][n] = activation(x[m] . w[n] + bias[n]): a warp an output, MB rows of x at once. stored: columns a row of w has (K filled up to whole blocks)
#define MB 8
template <class T, int W>
DI void product(const T* x, i64 x_step, const void* w, const void* scales, int stored, const float* bias, int activation, void* y, i64 y_step, int wide,
                int M, int N, int K)
{
    int n = blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5), lane = threadIdx.x & 31, m0 = blockIdx.y * MB;
    pdl_launch();
    pdl_wait();
    if (n >= N) return;
    float sum[MB];
#pragma unroll
    for (int m = 0; m < MB; m++) sum[m] = 0;
    for (int k = lane; k < K; k += 32)
    {
        float v = Weight<W>::at(w, scales, n, k, stored);
#pragma unroll
        for (int m = 0; m < MB; m++)
            if (m0 + m < M) sum[m] = fmaf(v, to_float(x[(m0 + m) * x_step + k]), sum[m]);
    }
#pragma unroll
    for (int m = 0; m < MB; m++)
    {
        float v = warp_sum(sum[m]);
        if (lane == 0 && m0 + m < M)
        {
            v = activate(v + (bias ? bias[n] : 0.f), activation);
            if (wide) ((float*)y)[(m0 + m) * y_step + n] = v;
            else ((T*)y)[(m0 + m) * y_step + n] = from_float<T>(v);
        }
    }
}
#define PRODUCT(ST, T, SW, W) \
    KERNEL product_##ST##_##SW(const T* x, i64 x_step, const void* w, const void* scales, int stored, const float* bias, int activation, \
                               void* y, i64 y_step, int wide, int M, int N, int K) \
    { product<T, W>(x, x_step, w, scales, stored, bias, activation, y, y_step, wide, M, N, K); }
#define PRODUCT_TYPES(S, T) PRODUCT(S, T, f32, F32) PRODUCT(S, T, f16, F16) PRODUCT(S, T, bf16, BF16) PRODUCT(S, T, q8_0, Q8_0) PRODUCT(S, T, q4_0, Q4_0) PRODUCT(S, T, f8, F8)
FLOAT_TYPES(PRODUCT_TYPES)

// y[i] = row ids[i] of w (ids null: first + i), [count][K]; grid: (parts of a row, rows)
template <class T, int W>
DI void rows_of(const void* w, const void* scales, int stored, const void* ids, int wide, i64 first, T* y, int K, i64 count)
{
    pdl_launch();
    pdl_wait();
    for (i64 i = blockIdx.y; i < count; i += gridDim.y)
    {
        i64 n = !ids ? first + i : wide ? ((const i64*)ids)[i] : ((const int*)ids)[i];
        for (int k = blockIdx.x * blockDim.x + threadIdx.x; k < K; k += gridDim.x * blockDim.x) y[i * K + k] = from_float<T>(Weight<W>::at(w, scales, n, k, stored));
    }
}
#define ROWS_OF(ST, T, SW, W) \
    KERNEL rows_##ST##_##SW(const void* w, const void* scales, int stored, const void* ids, int wide, i64 first, T* y, int K, i64 count) \
    { rows_of<T, W>(w, scales, stored, ids, wide, first, y, K, count); }
#define ROWS_TYPES(S, T) ROWS_OF(S, T, f32, F32) ROWS_OF(S, T, f16, F16) ROWS_OF(S, T, bf16, BF16) ROWS_OF(S, T, q8_0, Q8_0) ROWS_OF(S, T, q4_0, Q4_0) ROWS_OF(S, T, f8, F8)
FLOAT_TYPES(ROWS_TYPES)

// y = activation(y + bias), in place; grid: (parts of a row, rows)
#define BIAS_ACTIVATION(S, T) \
    KERNEL bias_activation_##S(T* y, i64 y_step, const float* bias, int activation, int n, i64 rows) \
    { \
        pdl_launch(); \
        pdl_wait(); \
        for (i64 row = blockIdx.y; row < rows; row += gridDim.y) \
            for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) \
            { \
                T* p = y + row * y_step + i; \
                *p = from_float<T>(activate(to_float(*p) + (bias ? bias[i] : 0.f), activation)); \
            } \
    }
FLOAT_TYPES(BIAS_ACTIVATION)

// A row of F32 to e4m3 with one scale, largest magnitude / 448, and zeros up to `stored`; a block a row.
KERNEL pack_f8(const float* x, u8* y, float* scales, int K, int stored)
{
    __shared__ float shared[32];
    i64 row = blockIdx.x;
    x += row * K;
    y += row * stored;
    float top = 0;
    for (int k = threadIdx.x; k < K; k += blockDim.x) top = fmaxf(top, fabsf(x[k]));
    top = block_max(top, shared);
    float scale = top / 448.f;
    for (int k = threadIdx.x; k < stored; k += blockDim.x) y[k] = k < K && scale > 0 ? float_to_f8(x[k] / scale) : 0;
    if (threadIdx.x == 0) scales[row] = scale;
}
