// What sampling's files share: a slot's state, weights and random numbers that are the processor's, sums and best entries over a block.
#pragma once
#include "philox.cuh"

#define THREADS 1024
#define WARPS (THREADS / 32)
#define NEGATIVE_INFINITY __int_as_float(0xff800000)
#define IN_PROMPT 0x80000000u

// Mirrors SlotState in CudaSampler.
struct SlotState {
    float temperature, top_p, repetition, presence, frequency;
    int top_k, min_tokens, logprobs; // logprobs: alternatives to report, -1: no logprobs at all
    u64 seed;
    i64 least_weight; // min-p
    int choice, output_length, bias_count, stop_count;
    int* lists;  // bias_count pairs (id, bias), then stop_count ids
    u32* counts; // [vocabulary] how often a token came out, highest bit: it is in the prompt; 0 without penalties
    int last_token, reserved;
};

// Mirrors SampleJob in CudaSampler.
struct SampleJob {
    int slot; // -1: padding
    int row;  // first row of logits; a row more for each draft
    int drafts, draft_offset;
    int mask; // first word of the first row's mask, or -1
    int reserved[3];
};

struct Shared {
    SlotState state;
    i64 sums[WARPS];
    float values[WARPS];
    int ids[WARPS];
    i64 result;
    float value;
    int id;
};

DI i64 weight_of(float logit, float best, float temperature)
{
    float x = __fdiv_rn(__fsub_rn(logit, best), temperature);
    if (!(x >= -28.0f)) {
        return 0;
    }
    float n = rintf(__fmul_rn(x, 1.44269504f));
    float r = __fmaf_rn(n, 2.12194440e-4f, __fmaf_rn(n, -0.693359375f, x));
    float p = 1.9875691500e-4f;
    p = __fmaf_rn(p, r, 1.3981999507e-3f);
    p = __fmaf_rn(p, r, 8.3334519073e-3f);
    p = __fmaf_rn(p, r, 4.1665795894e-2f);
    p = __fmaf_rn(p, r, 1.6666665459e-1f);
    p = __fmaf_rn(p, r, 5.0000001201e-1f);
    p = __fadd_rn(__fmaf_rn(p, __fmul_rn(r, r), r), 1.0f);
    return __float2ll_rz(__fmul_rn(p, __int_as_float(((int)n + 167) << 23)));
}

DI u64 random_bits(u64 seed, int choice, int position)
{
    u32 c0 = (u32)position, c1 = (u32)choice, c2 = 0, c3 = 0;
    philox(c0, c1, c2, c3, seed);
    return ((u64)c0 << 32) | c1;
}

// Numbers that are ordered as the floats are; both zeros are one.
DI u32 key_of(float value)
{
    u32 bits = __float_as_uint(__fadd_rn(value, 0.0f));
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

DI i64 warp_total(i64 value)
{
    for (int offset = 16; offset > 0; offset /= 2) {
        value += __shfl_xor_sync(0xffffffffu, value, offset);
    }
    return value;
}

// The sum over the block, for every thread.
__device__ i64 block_total(i64 value, Shared& shared)
{
    value = warp_total(value);
    __syncthreads();
    if (threadIdx.x % 32 == 0) {
        shared.sums[threadIdx.x / 32] = value;
    }
    __syncthreads();
    return warp_total(threadIdx.x % 32 < WARPS ? shared.sums[threadIdx.x % 32] : 0);
}

// Whether value a of id i ranks before b of j: higher, or equal with the lower id. NaN ranks before everything.
DI bool before(float a, int i, float b, int j)
{
    return a > b || (a == b && i < j) || (a != a && (b == b || i < j));
}

// The best of the block's entries, for every thread.
__device__ void block_best(float& value, int& id, Shared& shared)
{
    for (int offset = 16; offset > 0; offset /= 2) {
        float other = __shfl_xor_sync(0xffffffffu, value, offset);
        int other_id = __shfl_xor_sync(0xffffffffu, id, offset);
        if (before(other, other_id, value, id)) {
            value = other;
            id = other_id;
        }
    }
    __syncthreads();
    if (threadIdx.x % 32 == 0) {
        shared.values[threadIdx.x / 32] = value;
        shared.ids[threadIdx.x / 32] = id;
    }
    __syncthreads();
    value = shared.values[threadIdx.x % 32];
    id = shared.ids[threadIdx.x % 32];
    for (int offset = 16; offset > 0; offset /= 2) {
        float other = __shfl_xor_sync(0xffffffffu, value, offset);
        int other_id = __shfl_xor_sync(0xffffffffu, id, offset);
        if (before(other, other_id, value, id)) {
            value = other;
            id = other_id;
        }
    }
}

// The best entry that ranks behind (last, last_id).
__device__ void best_behind(const float* row, int vocabulary, float last, int last_id, float& value, int& id, Shared& shared)
{
    value = NEGATIVE_INFINITY;
    id = 0x7fffffff;
    for (int i = threadIdx.x; i < vocabulary; i += THREADS) {
        float v = row[i];
        if (before(last, last_id, v, i) && before(v, i, value, id)) {
            value = v;
            id = i;
        }
    }
    block_best(value, id, shared);
}

__device__ void best_of(const float* row, int vocabulary, float& value, int& id, Shared& shared)
{
    value = NEGATIVE_INFINITY;
    id = 0x7fffffff;
    if (vocabulary % 4 == 0) {
        const float4* fours = (const float4*)row;
        constexpr int TOGETHER = 4; // loads in flight
        for (int first = threadIdx.x; first < vocabulary / 4; first += TOGETHER * THREADS) {
            float4 four[TOGETHER];
#pragma unroll
            for (int j = 0; j < TOGETHER; j++) {
                int i = min(first + j * THREADS, vocabulary / 4 - 1); // once more changes nothing
                four[j] = fours[i];
            }
#pragma unroll
            for (int j = 0; j < TOGETHER; j++) {
                int i = min(first + j * THREADS, vocabulary / 4 - 1);
                if (before(four[j].x, 4 * i, value, id)) { value = four[j].x; id = 4 * i; }
                if (before(four[j].y, 4 * i + 1, value, id)) { value = four[j].y; id = 4 * i + 1; }
                if (before(four[j].z, 4 * i + 2, value, id)) { value = four[j].z; id = 4 * i + 2; }
                if (before(four[j].w, 4 * i + 3, value, id)) { value = four[j].w; id = 4 * i + 3; }
            }
        }
    } else {
        for (int i = threadIdx.x; i < vocabulary; i += THREADS) {
            float v = row[i];
            if (before(v, i, value, id)) { value = v; id = i; }
        }
    }
    block_best(value, id, shared);
}
