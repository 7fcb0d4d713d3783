// How gemv.cu reads W, compiled for one format (CudaMatrix of C# has the layouts).
//
// A chunk of a row is what its four lanes load at once, 16 bytes each: PARTS times 32 neighbours k. `arrange` deals them out so that each lane has 8 k
// of every part, then `part` makes elements of them; which 8 is `fragment`'s business too, which reads the same k of a token. Whole numbers become
// elements exactly (up to 8 bits), so a block's scale multiplies sums and rounds nothing.
#pragma once
#include "half.cuh"

#define HALVES 0 // elements of the tokens' type
#define Q8_0 1
#define Q4_0 2
#define F8E4M3 3
#ifndef WEIGHTS
#define WEIGHTS HALVES
#endif

constexpr int PARTS = WEIGHTS == HALVES ? 1 : WEIGHTS == Q4_0 ? 4 : 2;
constexpr int CHUNK = 32 * PARTS;
constexpr int CHUNK_BYTES = 64;
constexpr bool BLOCK_SCALES = WEIGHTS == Q8_0 || WEIGHTS == Q4_0; // f16, one for each part

// A lane's place in a row of W.
struct WeightRow
{
    const u8* values;
    const u16* scales;
};

DI WeightRow weight_row(const u8* W, const void* scales, i64 n, int stored, int t)
{
    return WeightRow{W + n * (stored / CHUNK) * CHUNK_BYTES + t * 16, (const u16*)scales + n * (stored / 32)};
}

// What a lane holds of a chunk.
struct WeightChunk
{
    uint4 values;
#if WEIGHTS == Q8_0
    u32 scales;
#elif WEIGHTS == Q4_0
    uint2 scales;
#endif
};

DI WeightChunk load_chunk(const WeightRow& row, int chunk, bool inside)
{
    WeightChunk c;
    c.values = inside ? load_stream(row.values + (i64)chunk * CHUNK_BYTES) : make_uint4(0, 0, 0, 0);
#if WEIGHTS == Q8_0
    c.scales = inside ? *((const u32*)row.scales + chunk) : 0;
#elif WEIGHTS == Q4_0
    c.scales = inside ? *((const uint2*)row.scales + chunk) : make_uint2(0, 0);
#endif
    return c;
}

DI float block_scale(const WeightChunk& c, int part)
{
#if WEIGHTS == Q8_0
    return f16_to_float((u16)(c.scales >> (16 * part)));
#elif WEIGHTS == Q4_0
    return f16_to_float((u16)((part < 2 ? c.scales.x : c.scales.y) >> (16 * (part & 1))));
#else
    return 1.f;
#endif
}

DI float row_scale(const void* scales, int row)
{
    return WEIGHTS == F8E4M3 ? ((const float*)scales)[row] : 1.f;
}

// Lanes t and t ^ apart exchange halves: the lower keeps `first`, the upper `second`.
DI void exchange(u32& first, u32& second, bool upper, int apart)
{
    const u32 got = __shfl_xor_sync(~0u, upper ? first : second, apart);
    first = upper ? got : first;
    second = upper ? second : got;
}

// From a lane's 16 neighbouring bytes to its 8 values of each part. All lanes of a warp call.
DI uint4 arrange(uint4 v, int t)
{
#if WEIGHTS != HALVES
    // 8 bits: lanes 0 and 1 have loaded part 0, lanes 2 and 3 part 1. 4 bits: lane t part t, its word j what lane j shall have; a transposition.
    exchange(v.x, v.z, t & 2, 2);
    exchange(v.y, v.w, t & 2, 2);
#endif
#if WEIGHTS == Q4_0
    exchange(v.x, v.y, t & 1, 1);
    exchange(v.z, v.w, t & 1, 1);
#endif
    return v;
}

#if ELEMENT_F16
#define WHOLE 0x64646464u // high bytes of 1024 + n, n below 1024
DI u32 subtract(u32 a, u32 b) { u32 w; asm("sub.rn.f16x2 %0, %1, %2;" : "=r"(w) : "r"(a), "r"(b)); return w; }
#else
#define WHOLE 0x43434343u // high bytes of 128 + n, n below 128
DI u32 subtract(u32 a, u32 b) { u32 w; asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(w) : "r"(b), "r"(0xbf80bf80u), "r"(a)); return w; } // a - b
#endif

// Two signed bytes to two elements.
DI u32 signed_bytes(u32 bytes, u32 selector)
{
#if ELEMENT_F16
    return subtract(__byte_perm(bytes ^ 0x80808080u, WHOLE, selector), 0x64806480u); // 1024 + (n + 128) - 1152
#else
    // 128 + the low seven bits, less 128, or 256 where the sign's bit is set
    return subtract(__byte_perm(bytes & 0x7f7f7f7fu, WHOLE, selector), __byte_perm(bytes & 0x80808080u, WHOLE, selector));
#endif
}

// Two bytes of 0 to 15, which stand for -8 to 7.
DI u32 nibbles(u32 bytes, u32 selector)
{
    return subtract(__byte_perm(bytes, WHOLE, selector), ELEMENT_F16 ? 0x64086408u : 0x43084308u);
}

// Two e4m3: their bits as an element's, whose exponent is then too small by the difference of the biases.
DI u32 f8_pair(u32 bytes, u32 selector)
{
    const u32 wide = __byte_perm(bytes, 0, selector);
#if ELEMENT_F16
    return multiply((wide & 0x80008000u) | ((wide >> 1) & 0x3f803f80u), 0x5c005c00u); // 2^8
#else
    return multiply((wide & 0x80008000u) | ((wide >> 4) & 0x07f007f0u), 0x7b807b80u); // 2^120
#endif
}

// The 8 elements that a lane has of a part, in the order of `fragment`.
DI uint4 part(const uint4& v, int part)
{
#if WEIGHTS == HALVES
    return v;
#elif WEIGHTS == Q4_0
    const u32 word = part == 0 ? v.x : part == 1 ? v.y : part == 2 ? v.z : v.w;
    const u32 low = word & 0x0f0f0f0fu, high = (word >> 4) & 0x0f0f0f0fu;
    return make_uint4(nibbles(low, 0x4140), nibbles(low, 0x4342), nibbles(high, 0x4140), nibbles(high, 0x4342));
#else
    const u32 first = part == 0 ? v.x : v.z, second = part == 0 ? v.y : v.w;
#if WEIGHTS == Q8_0
    return make_uint4(signed_bytes(first, 0x4140), signed_bytes(first, 0x4342), signed_bytes(second, 0x4140), signed_bytes(second, 0x4342));
#else
    return make_uint4(f8_pair(first, 0x1404), f8_pair(first, 0x3424), f8_pair(second, 0x1404), f8_pair(second, 0x3424));
#endif
#endif
}

// A lane's 8 elements of x for the part of 32 that begins at k; zeros from K on, a multiple of 8.
DI uint4 fragment(const u16* x, int k, int K, int t)
{
#if WEIGHTS == Q4_0
    const uint2 none = make_uint2(0, 0);
    const int first = k + 4 * t, second = first + 16;
    const uint2 a = first < K ? *(const uint2*)(x + first) : none, b = second < K ? *(const uint2*)(x + second) : none;
    return make_uint4(a.x, a.y, b.x, b.y);
#else
    const int at = k + 8 * (WEIGHTS == HALVES ? t : (t & 1) * 2 + (t >> 1));
    return at < K ? *(const uint4*)(x + at) : make_uint4(0, 0, 0, 0);
#endif
}
