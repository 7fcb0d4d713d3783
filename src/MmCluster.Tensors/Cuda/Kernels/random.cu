// Normal random numbers as Cpu/NormalBody makes them: elements 4 i to 4 i + 3 from Philox(i, seed) by the Box-Muller transform; a thread makes four.
#include "common.cuh"

DI void philox(u32& c0, u32& c1, u32& c2, u32& c3, u64 seed)
{
    u32 k0 = (u32)seed, k1 = (u32)(seed >> 32);
    for (int round = 0; round < 10; round++)
    {
        u64 p0 = 0xD2511F53ull * c0, p1 = 0xCD9E8D57ull * c2;
        c0 = (u32)(p1 >> 32) ^ c1 ^ k0;
        c1 = (u32)p1;
        c2 = (u32)(p0 >> 32) ^ c3 ^ k1;
        c3 = (u32)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

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
