// Rotary positions of queries and keys, and putting keys and values into blocks: [block][kv head][keys 16 x D, then values 16 x D].
#include "common.cuh"

struct Heads { i64 token, head; }; // elements between tokens and heads

// x turned by row `position` of the table, element d of a head; dimensions past the table's stay
template <class T> DI float turned(const T* x, int d, const float* cos, const float* sin, int half, int interleaved)
{
    float v = to_float(x[d]);
    if (!cos || d >= 2 * half) return v;
    int i = interleaved ? d >> 1 : d < half ? d : d - half;
    bool first = interleaved ? !(d & 1) : d < half;
    float other = to_float(x[interleaved ? d ^ 1 : first ? d + half : d - half]);
    return first ? fmaf(v, cos[i], -(other * sin[i])) : fmaf(v, cos[i], other * sin[i]);
}

// A block a token and head: heads of queries first, then those of keys and values. In place is fine: all is read before anything is written.
template <class T, class K>
DI void rope(const T* q, Heads qs, T* q_out, Heads qo, const T* k, Heads ks, const T* v, Heads vs, K* cache, const int* slots,
             const float* cos, const float* sin, const int* positions, int heads, int kv_heads, int dim, int half, int interleaved)
{
    extern __shared__ float out[];
    i64 token = blockIdx.x;
    int head = blockIdx.y;
    pdl_launch();
    pdl_wait();
    if (cos)
    {
        cos += (i64)positions[token] * half;
        sin += (i64)positions[token] * half;
    }
    if (head < heads)
    {
        const T* x = q + token * qs.token + head * qs.head;
        T* y = q_out + token * qo.token + head * qo.head;
        for (int d = threadIdx.x; d < dim; d += blockDim.x) out[d] = turned(x, d, cos, sin, half, interleaved);
        __syncthreads();
        for (int d = threadIdx.x; d < dim; d += blockDim.x) y[d] = from_float<T>(out[d]);
        return;
    }
    head -= heads;
    int slot = slots[token];
    if (slot < 0) return;
    K* keys = cache + (((i64)(slot >> 4) * kv_heads + head) * 32 + (slot & 15)) * dim;
    const T* x = k + token * ks.token + head * ks.head;
    const T* w = v + token * vs.token + head * vs.head;
    for (int d = threadIdx.x; d < dim; d += blockDim.x)
    {
        keys[d] = from_float<K>(turned(x, d, cos, sin, half, interleaved));
        keys[16 * dim + d] = from_float<K>(to_float(w[d]));
    }
}
#define ROPE(ST, T, SK, K) \
    KERNEL rope_##ST##_##SK(const T* q, Heads qs, T* q_out, Heads qo, const T* k, Heads ks, const T* v, Heads vs, K* cache, const int* slots, \
                            const float* cos, const float* sin, const int* positions, int heads, int kv_heads, int dim, int half, int interleaved) \
    { rope<T, K>(q, qs, q_out, qo, k, ks, v, vs, cache, slots, cos, sin, positions, heads, kv_heads, dim, half, interleaved); }
#define ROPE_TYPES(S, T) ROPE(S, T, f32, float) ROPE(S, T, bf16, bf16) ROPE(S, T, f16, f16)
FLOAT_TYPES(ROPE_TYPES)
