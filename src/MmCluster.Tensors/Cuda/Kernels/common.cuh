// What all kernels share. NVRTC gets no CUDA headers: 16-bit floats are their bits, converted by PTX.
#pragma once
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

#define DI __device__ __forceinline__
#define KERNEL extern "C" __global__ void

struct bf16 { u16 bits; };
struct f16 { u16 bits; };

// ---- two 16-bit floats of a 32-bit word
DI float bf16_low(u32 x) { return __uint_as_float(x << 16); }
DI float bf16_high(u32 x) { return __uint_as_float(x & 0xffff0000u); }
DI u32 bf16_pack(float low, float high)
{
    u32 d;
    asm("cvt.rn.bf16x2.f32 %0,%1,%2;" : "=r"(d) : "f"(high), "f"(low));
    return d;
}
DI float f16_to_float(u16 x)
{
    float f;
    asm("cvt.f32.f16 %0,%1;" : "=f"(f) : "h"(x));
    return f;
}
DI u16 float_to_f16(float x)
{
    u16 h;
    asm("cvt.rn.f16.f32 %0,%1;" : "=h"(h) : "f"(x));
    return h;
}

// ---- one value
DI float to_float(float x) { return x; }
DI float to_float(bf16 x) { return __uint_as_float((u32)x.bits << 16); }
DI float to_float(f16 x) { return f16_to_float(x.bits); }
template <class T> DI T from_float(float x);
template <> DI float from_float<float>(float x) { return x; }
template <> DI bf16 from_float<bf16>(float x) { return bf16{(u16)(bf16_pack(x, 0.f) & 0xffffu)}; }
template <> DI f16 from_float<f16>(float x) { return f16{float_to_f16(x)}; }

// ---- four neighbours at once; the address is aligned to four elements
template <class T> DI void load4(const T* p, float* v);
template <> DI void load4<float>(const float* p, float* v)
{
    float4 x = *(const float4*)p;
    v[0] = x.x; v[1] = x.y; v[2] = x.z; v[3] = x.w;
}
template <> DI void load4<bf16>(const bf16* p, float* v)
{
    uint2 x = *(const uint2*)p;
    v[0] = bf16_low(x.x); v[1] = bf16_high(x.x); v[2] = bf16_low(x.y); v[3] = bf16_high(x.y);
}
template <> DI void load4<f16>(const f16* p, float* v)
{
    uint2 x = *(const uint2*)p;
    v[0] = f16_to_float((u16)x.x); v[1] = f16_to_float((u16)(x.x >> 16));
    v[2] = f16_to_float((u16)x.y); v[3] = f16_to_float((u16)(x.y >> 16));
}
template <class T> DI void store4(T* p, const float* v);
template <> DI void store4<float>(float* p, const float* v) { *(float4*)p = make_float4(v[0], v[1], v[2], v[3]); }
template <> DI void store4<bf16>(bf16* p, const float* v)
{
    *(uint2*)p = make_uint2(bf16_pack(v[0], v[1]), bf16_pack(v[2], v[3]));
}
template <> DI void store4<f16>(f16* p, const float* v)
{
    *(uint2*)p = make_uint2((u32)float_to_f16(v[0]) | ((u32)float_to_f16(v[1]) << 16),
                            (u32)float_to_f16(v[2]) | ((u32)float_to_f16(v[3]) << 16));
}

// ---- programmatic dependent launch; both do nothing in a kernel launched without it. Before pdl_wait only what no kernel of the step writes may be read.
DI void pdl_launch()
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
DI void pdl_wait()
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// ---- over a warp, and over a block of whole warps (shared: 32 floats; all threads call, all get the result)
DI float warp_sum(float v)
{
#pragma unroll
    for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(~0u, v, o);
    return v;
}
DI float warp_max(float v)
{
#pragma unroll
    for (int o = 16; o; o >>= 1) v = fmaxf(v, __shfl_xor_sync(~0u, v, o));
    return v;
}
DI float block_sum(float v, float* shared)
{
    v = warp_sum(v);
    __syncthreads();
    if ((threadIdx.x & 31) == 0) shared[threadIdx.x >> 5] = v;
    __syncthreads();
    int warps = blockDim.x >> 5;
    return warp_sum((threadIdx.x & 31) < warps ? shared[threadIdx.x & 31] : 0.f);
}
DI float block_max(float v, float* shared)
{
    v = warp_max(v);
    __syncthreads();
    if ((threadIdx.x & 31) == 0) shared[threadIdx.x >> 5] = v;
    __syncthreads();
    int warps = blockDim.x >> 5;
    return warp_max((threadIdx.x & 31) < warps ? shared[threadIdx.x & 31] : __int_as_float(0xff800000));
}

// ---- activations, numbered as the C# enumeration Activation
enum { ACT_NONE, ACT_RELU, ACT_GELU, ACT_GELU_TANH, ACT_QUICK_GELU, ACT_SILU, ACT_SIGMOID, ACT_TANH };
DI float sigmoid(float x) { return 1.f / (1.f + expf(-x)); }
DI float relu(float x) { return x < 0.f ? 0.f : x; } // NaN stays
DI float gelu(float x) { return 0.5f * x * (1.f + erff(x * 0.70710678f)); }
DI float gelu_tanh(float x) { return 0.5f * x * (1.f + tanhf(0.79788456f * (x + 0.044715f * x * x * x))); }
DI float activate(float x, int activation)
{
    switch (activation)
    {
        case ACT_RELU: return relu(x);
        case ACT_GELU: return gelu(x);
        case ACT_GELU_TANH: return gelu_tanh(x);
        case ACT_QUICK_GELU: return x * sigmoid(1.702f * x);
        case ACT_SILU: return x * sigmoid(x);
        case ACT_SIGMOID: return sigmoid(x);
        case ACT_TANH: return tanhf(x);
        default: return x;
    }
}

// ---- a kernel for each float type: KERNEL_TYPES(X) calls X(suffix, type)
#define FLOAT_TYPES(X) X(f32, float) X(bf16, bf16) X(f16, f16)
