// Turns queries and keys of many tokens by their positions and puts keys and values into the paged cache ([block][kv head][keys 16 x D, then values 16 x D]).
// Grid: one block of threads a token. A thread takes 8 neighbours and, where pairs are half a rotation apart, the 8 they are paired with; so the head's
// length, and half the rotary length unless pairs are neighbours, are multiples of 8. q may be turned in place.
#include "rope.cuh"

DI uint4 turn_first(uint4 x, uint4 y, const float (&c)[8], const float (&s)[8], float sign)
{
    return make_uint4(
        pack(low(x.x) * c[0] + sign * low(y.x) * s[0], high(x.x) * c[1] + sign * high(y.x) * s[1]),
        pack(low(x.y) * c[2] + sign * low(y.y) * s[2], high(x.y) * c[3] + sign * high(y.y) * s[3]),
        pack(low(x.z) * c[4] + sign * low(y.z) * s[4], high(x.z) * c[5] + sign * high(y.z) * s[5]),
        pack(low(x.w) * c[6] + sign * low(y.w) * s[6], high(x.w) * c[7] + sign * high(y.w) * s[7]));
}

DI u32 turn_neighbours(u32 x, float c, float s) { return pack(low(x) * c - high(x) * s, high(x) * c + low(x) * s); }

// Item i of a head: how much of it there is, items(), depends on the rotation.
DI int items(const Rope& rope, int dim) { return rope.cos == nullptr || rope.interleaved ? dim / 8 : (dim - rope.rotary / 2) / 8; }

DI void turn_item(const Rope& rope, const u16* x, u16* y, int i, int position)
{
    const int half = rope.rotary / 2;
    if (rope.cos != nullptr && rope.interleaved && i * 8 < rope.rotary)
    {
        const float* c = rope.cos + (i64)position * half + i * 4;
        const float* s = rope.sin + (i64)position * half + i * 4;
        const uint4 w = *(const uint4*)(x + i * 8);
        *(uint4*)(y + i * 8) = make_uint4(
            turn_neighbours(w.x, c[0], s[0]), turn_neighbours(w.y, c[1], s[1]), turn_neighbours(w.z, c[2], s[2]), turn_neighbours(w.w, c[3], s[3]));
        return;
    }
    if (rope.cos == nullptr || rope.interleaved || i * 8 >= half) // what does not turn
    {
        const int d = i * 8 + (rope.cos == nullptr || rope.interleaved ? 0 : half);
        *(uint4*)(y + d) = *(const uint4*)(x + d);
        return;
    }
    float c[8], s[8];
    const i64 at = (i64)position * half + i * 8;
    *(float4*)c = *(const float4*)(rope.cos + at), *(float4*)(c + 4) = *(const float4*)(rope.cos + at + 4);
    *(float4*)s = *(const float4*)(rope.sin + at), *(float4*)(s + 4) = *(const float4*)(rope.sin + at + 4);
    const uint4 a = *(const uint4*)(x + i * 8), b = *(const uint4*)(x + half + i * 8);
    *(uint4*)(y + i * 8) = turn_first(a, b, c, s, -1.f);
    *(uint4*)(y + half + i * 8) = turn_first(b, a, c, s, 1.f);
}

extern "C" __global__ void rope_append(
    const u16* q, u16* q_out, const u16* k, const u16* v, // [tokens, heads or kv heads, dim], rows a step apart; q or k may be null
    i64 q_step, i64 q_out_step, i64 k_step, i64 v_step,
    u16* cache, const int* slots, const int* positions,
    const float* cos, const float* sin, int rotary, int interleaved,
    int heads, int kv_heads, int dim)
{
    const i64 token = blockIdx.x;
    pdl_launch();
    pdl_wait();
    const Rope rope{cos, sin, rotary, interleaved};
    const int position = cos ? positions[token] : 0, each = items(rope, dim);
    if (q)
    {
        for (int i = threadIdx.x; i < heads * each; i += blockDim.x)
        {
            const int head = i / each * dim;
            turn_item(rope, q + token * q_step + head, q_out + token * q_out_step + head, i % each, position);
        }
    }
    const int slot = k ? slots[token] : -1;
    if (slot < 0)
    {
        return;
    }
    u16* block = cache + (i64)(slot / 16) * kv_heads * 32 * dim + slot % 16 * dim;
    for (int i = threadIdx.x; i < kv_heads * each; i += blockDim.x)
    {
        const int head = i / each;
        turn_item(rope, k + token * k_step + head * dim, block + (i64)head * 32 * dim, i % each, position);
    }
    for (int i = threadIdx.x; i < kv_heads * dim / 8; i += blockDim.x)
    {
        const int head = i / (dim / 8), d = i % (dim / 8) * 8;
        *(uint4*)(block + (i64)head * 32 * dim + 16 * dim + d) = *(const uint4*)(v + token * v_step + head * dim + d);
    }
}
