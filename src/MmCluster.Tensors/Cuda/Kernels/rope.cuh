// Rotary position embedding of one head: what decode attention and the kernel before prefill attention share.
#pragma once
#include "half.cuh"

struct Rope
{
    const float* cos; // [positions, rotary / 2], or null: nothing turns
    const float* sin;
    int rotary;       // elements of a head that turn, the first ones
    int interleaved;  // pairs are (0, 1), (2, 3) ... instead of (0, rotary / 2), (1, rotary / 2 + 1) ...
};

// Element d of a head at x, turned for a position's row of the table.
DI float turned(const Rope& rope, const u16* x, int d, int position)
{
    const float own = widen(x[d]);
    if (rope.cos == nullptr || d >= rope.rotary)
    {
        return own;
    }
    const int half = rope.rotary >> 1;
    const bool first = rope.interleaved ? (d & 1) == 0 : d < half;
    const int pair = rope.interleaved ? d >> 1 : first ? d : d - half;
    const float other = widen(x[rope.interleaved ? d ^ 1 : first ? d + half : d - half]);
    const float c = rope.cos[(i64)position * half + pair], s = rope.sin[(i64)position * half + pair];
    return own * c + (first ? -other : other) * s;
}
