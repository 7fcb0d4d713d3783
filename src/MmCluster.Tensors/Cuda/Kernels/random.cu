// Normal random numbers as Cpu/NormalBody makes them: elements 4 i to 4 i + 3 from Philox(i, seed) by the Box-Muller transform; a thread makes four.
#include "philox.cuh"

DI void box_muller(u32 a, u32 b, float* pair)
{
    float radius = sqrtf(-2.f * logf(((a >> 8) + 1) * (1.f / (1 << 24))));
    float sine, cosine;
    sincosf((b >> 8) * (2 * 3.14159265f / (1 << 24)), &sine, &cosine);
    pair[0] = radius * cosine;
    pair[1] = radius * sine;
}

template <class T>
DI void normal(T* y, i64 count, u64 seed, float mean, float std)
{
    i64 first = 4 * (blockIdx.x * (i64)blockDim.x + threadIdx.x);
    u32 c0 = (u32)(first / 4), c1 = (u32)(first / 4 >> 32), c2 = 0, c3 = 0;
    philox(c0, c1, c2, c3, seed);
    float four[4];
    box_muller(c0, c1, four);
    box_muller(c2, c3, four + 2);
    for (int j = 0; j < 4; j++)
        if (first + j < count) y[first + j] = from_float<T>(mean + std * four[j]);
}
#define NORMAL(S, T) \
    KERNEL normal_##S(T* y, i64 count, u64 seed, float mean, float std) { normal<T>(y, count, seed, mean, std); }
FLOAT_TYPES(NORMAL)
