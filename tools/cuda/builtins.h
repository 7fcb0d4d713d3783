// What NVRTC declares without headers, as far as our kernels use it, so that clang can parse them where there is neither GPU nor toolkit.
#pragma once
#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define __restrict__ __restrict
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))

struct Index { unsigned x, y, z; };
extern const __device__ Index threadIdx, blockIdx, blockDim, gridDim;
struct __attribute__((aligned(8))) float2 { float x, y; };
struct __attribute__((aligned(16))) float4 { float x, y, z, w; };
struct __attribute__((aligned(8))) int2 { int x, y; };
struct __attribute__((aligned(16))) int4 { int x, y, z, w; };
struct __attribute__((aligned(8))) uint2 { unsigned x, y; };
struct __attribute__((aligned(16))) uint4 { unsigned x, y, z, w; };

#define D __device__
D float2 make_float2(float, float);
D float4 make_float4(float, float, float, float);
D int2 make_int2(int, int);
D int4 make_int4(int, int, int, int);
D uint2 make_uint2(unsigned, unsigned);
D uint4 make_uint4(unsigned, unsigned, unsigned, unsigned);
D float __uint_as_float(unsigned);
D unsigned __float_as_uint(float);
D float __int_as_float(int);
D int __float_as_int(float);
D unsigned __byte_perm(unsigned, unsigned, unsigned);
D float expf(float); D float __expf(float); D float exp2f(float); D float logf(float); D float __logf(float); D float log2f(float);
D float sqrtf(float); D float rsqrtf(float); D float sinf(float); D float cosf(float); D float __sinf(float); D float __cosf(float);
D void sincosf(float, float*, float*); D void sincospif(float, float*, float*); D float sinpif(float); D float cospif(float);
D float powf(float, float); D float tanhf(float); D float erff(float); D float rintf(float); D float floorf(float); D float ceilf(float);
D float fabsf(float); D float fmaf(float, float, float); D float fmaxf(float, float); D float fminf(float, float); D float __fdividef(float, float);
D float __fadd_rn(float, float); D float __fsub_rn(float, float); D float __fmul_rn(float, float); D float __fmaf_rn(float, float, float);
D float __fdiv_rn(float, float); D float __fsqrt_rn(float); D float __frcp_rn(float); D float __int2float_rn(int); D float __uint2float_rn(unsigned);
D double ceil(double); D double __dmul_rn(double, double); D long long __double2ll_rz(double); D double __ll2double_rn(long long); D long long __float2ll_rz(float); D long long __float2ll_rn(float); D int __float2int_rn(float); D int __float2int_rd(float); D unsigned __float2uint_rn(float); D unsigned long long __float2ull_rn(float); D float __ull2float_rn(unsigned long long);
D int min(int, int); D int max(int, int); D unsigned min(unsigned, unsigned); D unsigned max(unsigned, unsigned);
D unsigned min(unsigned, int); D unsigned min(int, unsigned); D unsigned max(unsigned, int); D unsigned max(int, unsigned);
D long long min(long long, long long); D long long max(long long, long long);
D long long min(long long, int); D long long min(int, long long); D long long max(long long, int); D long long max(int, long long);
D int __popc(unsigned); D int __clz(int); D int __ffs(int); D unsigned __umulhi(unsigned, unsigned); D unsigned long long __umul64hi(unsigned long long, unsigned long long);
D void __syncthreads(); D int __syncthreads_or(int); D int __syncthreads_count(int); D void __syncwarp(unsigned = ~0u); D void __threadfence();
template <class T> D T __shfl_sync(unsigned, T, int, int = 32);
template <class T> D T __shfl_xor_sync(unsigned, T, int, int = 32);
template <class T> D T __shfl_up_sync(unsigned, T, unsigned, int = 32);
template <class T> D T __shfl_down_sync(unsigned, T, unsigned, int = 32);
D unsigned __ballot_sync(unsigned, int); D int __any_sync(unsigned, int); D int __all_sync(unsigned, int);
D int __reduce_max_sync(unsigned, int); D int __reduce_min_sync(unsigned, int); D int __reduce_add_sync(unsigned, int);
template <class T> D T __ldcg(const T*);
template <class T> D T __ldg(const T*);
template <class T> D void __stcg(T*, T);
template <class T, class V> D T atomicAdd(T*, V);
template <class T> D T atomicMax(T*, T);
template <class T> D T atomicOr(T*, T);
template <class T> D T atomicExch(T*, T);
D unsigned long long __cvta_generic_to_shared(const void*);
#undef D
