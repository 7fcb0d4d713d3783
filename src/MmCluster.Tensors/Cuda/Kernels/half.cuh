// 16-bit floats two at a time, the tensor cores' m16n8k16 product and streaming loads, for kernels that are compiled for one element type:
// -DELEMENT_F16=1 makes an element an IEEE half; else it is a bfloat16. A word (u32) holds two elements, the first in its low half.
#pragma once
#include "common.cuh"

#ifndef ELEMENT_F16
#define ELEMENT_F16 0
#endif

#if ELEMENT_F16
DI float low(u32 w) { float f; asm("{.reg .b16 l, h; mov.b32 {l, h}, %1; cvt.f32.f16 %0, l;}" : "=f"(f) : "r"(w)); return f; }
DI float high(u32 w) { float f; asm("{.reg .b16 l, h; mov.b32 {l, h}, %1; cvt.f32.f16 %0, h;}" : "=f"(f) : "r"(w)); return f; }
DI u32 pack(float first, float second) { u32 w; asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(w) : "f"(second), "f"(first)); return w; }
DI u32 multiply(u32 a, u32 b) { u32 w; asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(w) : "r"(a), "r"(b)); return w; }
#define MMA_TYPES "f16.f16"
#else
DI float low(u32 w) { return __uint_as_float(w << 16); }
DI float high(u32 w) { return __uint_as_float(w & 0xffff0000u); }
DI u32 pack(float first, float second) { u32 w; asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(w) : "f"(second), "f"(first)); return w; }
// a b + (-0), which rounds once and keeps the sign of zero: Ampere has no bf16 multiplication.
DI u32 multiply(u32 a, u32 b) { u32 w; asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(w) : "r"(a), "r"(b), "r"(0x80008000u)); return w; }
#define MMA_TYPES "bf16.bf16"
#endif

DI float widen(u16 x) { return low((u32)x); }
DI u16 narrow(float x) { return (u16)(pack(x, 0.f) & 0xffffu); }

// c [16, 8] += a [16, 16] b [16, 8]. Of a lane with g = lane / 4 and t = lane % 4: a0 has row g, columns 2t and 2t + 1; a1 row g + 8; a2 and a3 the
// same with columns + 8. b0 has rows 2t and 2t + 1 of column g, b1 rows + 8. c0 and c1 have row g, columns 2t and 2t + 1; c2 and c3 row g + 8.
DI void mma(float* c, u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." MMA_TYPES ".f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

DI float power2(float x) { float y; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }

// Read once and never written by this launch: weights. Not kept in L1, which the tokens' rows need.
DI uint4 load_stream(const void* p)
{
    uint4 v;
    asm volatile("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p));
    return v;
}
