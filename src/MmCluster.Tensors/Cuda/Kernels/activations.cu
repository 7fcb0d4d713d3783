// Activations between two matrix products, 8 neighbours a thread. Grid: (rows, ceil(columns / 8 / blockDim)); columns a multiple of 8.
#include "fast_activation.cuh"

DI u32 gate2(int act, u32 gate, u32 up) { return pack(activate_fast(low(gate), act) * low(up), activate_fast(high(gate), act) * high(up)); }

DI u32 biased2(int act, u32 x, float first, float second) { return pack(activate_fast(low(x) + first, act), activate_fast(high(x) + second, act)); }

// y = act(gate) * up; gate and up are [rows, columns], rows a step apart, so halves of one product will do.
extern "C" __global__ void gated(const u16* gate, const u16* up, i64 step, u16* y, i64 y_step, int columns, int act)
{
    pdl_launch();
    pdl_wait();
    const i64 row = blockIdx.x;
    const int at = (blockIdx.y * blockDim.x + threadIdx.x) * 8;
    if (at < columns)
    {
        const uint4 g = *(const uint4*)(gate + row * step + at), u = *(const uint4*)(up + row * step + at);
        *(uint4*)(y + row * y_step + at) = make_uint4(gate2(act, g.x, u.x), gate2(act, g.y, u.y), gate2(act, g.z, u.z), gate2(act, g.w, u.w));
    }
}

// y = act(x + bias); bias [columns] or null. In place is allowed.
extern "C" __global__ void biased(const u16* x, i64 x_step, const float* bias, u16* y, i64 y_step, int columns, int act)
{
    pdl_launch();
    pdl_wait();
    const i64 row = blockIdx.x;
    const int at = (blockIdx.y * blockDim.x + threadIdx.x) * 8;
    if (at < columns)
    {
        const uint4 v = *(const uint4*)(x + row * x_step + at);
        const float4 a = bias ? *(const float4*)(bias + at) : make_float4(0, 0, 0, 0), b = bias ? *(const float4*)(bias + at + 4) : make_float4(0, 0, 0, 0);
        *(uint4*)(y + row * y_step + at) = make_uint4(biased2(act, v.x, a.x, a.y), biased2(act, v.y, a.z, a.w), biased2(act, v.z, b.x, b.y), biased2(act, v.w, b.z, b.w));
    }
}
