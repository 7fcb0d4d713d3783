// Norms, softmax and reductions along the last axis: a block a row, rows evenly spaced. Sums are F32 in an order that depends on the length only.
#include "common.cuh"

#define NEG_INF __int_as_float(0xff800000)

template <class T>
DI void rms_norm(T* residual, i64 residual_step, const T* x, i64 x_step, const float* weight, T* y, i64 y_step, int n, float eps)
{
    __shared__ float shared[32];
    i64 row = blockIdx.x;
    x += row * x_step;
    y += row * y_step;
    pdl_launch();
    pdl_wait();
    float sum = 0;
    if (residual)
    {
        residual += row * residual_step;
        for (int i = threadIdx.x; i < n; i += blockDim.x)
        {
            T v = from_float<T>(to_float(residual[i]) + to_float(x[i]));
            residual[i] = v;
            sum += to_float(v) * to_float(v);
        }
        x = residual;
    }
    else
        for (int i = threadIdx.x; i < n; i += blockDim.x) sum += to_float(x[i]) * to_float(x[i]);
    float scale = 1.f / sqrtf(block_sum(sum, shared) / n + eps);
    for (int i = threadIdx.x; i < n; i += blockDim.x) y[i] = from_float<T>(to_float(x[i]) * scale * (weight ? weight[i] : 1.f));
}
#define RMS_NORM(S, T) \
    KERNEL rms_norm_##S(T* residual, i64 residual_step, const T* x, i64 x_step, const float* weight, T* y, i64 y_step, int n, float eps) \
    { rms_norm<T>(residual, residual_step, x, x_step, weight, y, y_step, n, eps); }
FLOAT_TYPES(RMS_NORM)

template <class T>
DI void layer_norm(const T* x, i64 x_step, const float* weight, const float* bias, T* y, i64 y_step, int n, float eps)
{
    __shared__ float shared[32];
    x += blockIdx.x * x_step;
    y += blockIdx.x * y_step;
    pdl_launch();
    pdl_wait();
    float sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x) sum += to_float(x[i]);
    float mean = block_sum(sum, shared) / n;
    sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x)
    {
        float d = to_float(x[i]) - mean;
        sum += d * d;
    }
    float scale = 1.f / sqrtf(block_sum(sum, shared) / n + eps);
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        y[i] = from_float<T>((to_float(x[i]) - mean) * scale * (weight ? weight[i] : 1.f) + (bias ? bias[i] : 0.f));
}
#define LAYER_NORM(S, T) \
    KERNEL layer_norm_##S(const T* x, i64 x_step, const float* weight, const float* bias, T* y, i64 y_step, int n, float eps) \
    { layer_norm<T>(x, x_step, weight, bias, y, y_step, n, eps); }
FLOAT_TYPES(LAYER_NORM)

template <class T> DI void softmax(const T* x, i64 x_step, T* y, i64 y_step, int n, int logarithm)
{
    __shared__ float shared[32];
    x += blockIdx.x * x_step;
    y += blockIdx.x * y_step;
    pdl_launch();
    pdl_wait();
    float largest = NEG_INF;
    for (int i = threadIdx.x; i < n; i += blockDim.x) largest = fmaxf(largest, to_float(x[i]));
    largest = block_max(largest, shared);
    float sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x) sum += expf(to_float(x[i]) - largest);
    sum = block_sum(sum, shared);
    float log_sum = logf(sum), inverse = 1.f / sum;
    for (int i = threadIdx.x; i < n; i += blockDim.x)
    {
        float v = to_float(x[i]) - largest;
        y[i] = from_float<T>(logarithm ? v - log_sum : expf(v) * inverse);
    }
}
#define SOFTMAX(S, T) \
    KERNEL softmax_##S(const T* x, i64 x_step, T* y, i64 y_step, int n, int logarithm) { softmax<T>(x, x_step, y, y_step, n, logarithm); }
FLOAT_TYPES(SOFTMAX)

// Whether (v, i) stands before (w, j): NaN first, then the larger, then the first of equals.
DI bool before(float v, i64 i, float w, i64 j)
{
    bool vn = v != v, wn = w != w;
    if (vn || wn) return vn && (!wn || i < j);
    return v > w || (v == w && i < j);
}
// The foremost over the block, in all threads.
DI void foremost(float& v, i64& i, float* values, i64* indices)
{
    for (int o = 16; o; o >>= 1)
    {
        float w = __shfl_xor_sync(~0u, v, o);
        i64 j = __shfl_xor_sync(~0u, i, o);
        if (j >= 0 && (i < 0 || before(w, j, v, i))) { v = w; i = j; }
    }
    __syncthreads();
    if ((threadIdx.x & 31) == 0) { values[threadIdx.x >> 5] = v; indices[threadIdx.x >> 5] = i; }
    __syncthreads();
    v = values[0];
    i = indices[0];
    for (int k = 1; k < (int)(blockDim.x >> 5); k++)
        if (indices[k] >= 0 && (i < 0 || before(values[k], indices[k], v, i))) { v = values[k]; i = indices[k]; }
}

enum { SUM, MEAN, MAX, ARGMAX };
template <class T> DI void reduce(int kind, const T* x, i64 x_step, void* y, int n)
{
    __shared__ float shared[32];
    __shared__ i64 indices[32];
    x += blockIdx.x * x_step;
    if (kind <= MEAN)
    {
        float sum = 0;
        for (int i = threadIdx.x; i < n; i += blockDim.x) sum += to_float(x[i]);
        sum = block_sum(sum, shared);
        if (threadIdx.x == 0) ((T*)y)[blockIdx.x] = from_float<T>(kind == MEAN ? sum / n : sum);
        return;
    }
    float v = 0;
    i64 at = -1;
    for (int i = threadIdx.x; i < n; i += blockDim.x)
    {
        float w = to_float(x[i]);
        if (at < 0 || before(w, i, v, at)) { v = w; at = i; }
    }
    foremost(v, at, shared, indices);
    if (threadIdx.x == 0)
    {
        if (kind == ARGMAX) ((i64*)y)[blockIdx.x] = at;
        else ((T*)y)[blockIdx.x] = from_float<T>(v);
    }
}
#define REDUCE(S, T) KERNEL reduce_##S(int kind, const T* x, i64 x_step, void* y, int n) { reduce<T>(kind, x, x_step, y, n); }
FLOAT_TYPES(REDUCE)

// One pass over the row for each of the k: for short lists beside a network, not for sampling.
KERNEL top_k(const float* x, int n, int k, float* values, i64* indices)
{
    __shared__ float shared[32];
    __shared__ i64 found[32];
    x += (i64)blockIdx.x * n;
    values += (i64)blockIdx.x * k;
    indices += (i64)blockIdx.x * k;
    float last = 0;
    i64 last_at = -1;
    for (int j = 0; j < k; j++)
    {
        float v = 0;
        i64 at = -1;
        for (int i = threadIdx.x; i < n; i += blockDim.x)
            if ((last_at < 0 || before(last, last_at, x[i], i)) && (at < 0 || before(x[i], i, v, at))) { v = x[i]; at = i; }
        foremost(v, at, shared, found);
        if (threadIdx.x == 0) { values[j] = v; indices[j] = at; }
        last = v;
        last_at = at;
        __syncthreads();
    }
}
