// A draw: which entries top-k, top-p and min-p keep, and the one that a random number falls on.
#pragma once
#include "sampling.cuh"

// What takes part in a draw: keys above the threshold, those at it up to an id, and none lighter than the least weight.
struct Kept {
    u32 key;
    int last_tie;
    i64 least;
};

// The largest key in [low, high] such that entries from it up measure at least `goal`; `above` becomes what those over it measure.
template <typename Measure>
__device__ u32 threshold(const float* row, int vocabulary, u32 low, u32 high, i64 goal, i64& above, Shared& shared, Measure measure)
{
    u64 end = (u64)high + 1;
    u64 begin = low;
    above = 0;
    while (end - begin > 1) {
        u64 middle = begin + (end - begin) / 2;
        i64 sum = 0;
        for (int i = threadIdx.x; i < vocabulary; i += THREADS) {
            float v = row[i];
            u32 key = key_of(v);
            if (key >= middle && key < end) {
                sum += measure(v);
            }
        }
        sum = above + block_total(sum, shared);
        if (sum >= goal) {
            begin = middle;
        } else {
            end = middle;
            above = sum;
        }
    }
    return (u32)begin;
}

// The id of the tie number `count` of those at `key`, counted from 1.
__device__ int tie_at(const float* row, int vocabulary, u32 key, i64 count, Shared& shared)
{
    int begin = -1, end = vocabulary - 1;
    while (end - begin > 1) {
        int middle = begin + (end - begin) / 2;
        i64 sum = 0;
        for (int i = threadIdx.x; i <= middle; i += THREADS) {
            sum += key_of(row[i]) == key;
        }
        if (block_total(sum, shared) >= count) {
            end = middle;
        } else {
            begin = middle;
        }
    }
    return end;
}

__device__ Kept keep(const float* row, int vocabulary, float best, const SlotState& state, Shared& shared)
{
    Kept kept;
    kept.key = key_of(-3.402823466e+38f);
    kept.last_tie = vocabulary;
    kept.least = state.least_weight;
    u32 high = key_of(best);
    i64 above;
    if (state.top_k > 0 && state.top_k < vocabulary) {
        kept.key = threshold(row, vocabulary, kept.key, high, state.top_k, above, shared, [](float) { return (i64)1; });
    }
    if (state.top_p < 1.0f) {
        float temperature = state.temperature;
        i64 total = 0;
        for (int i = threadIdx.x; i < vocabulary; i += THREADS) {
            float v = row[i];
            total += key_of(v) >= kept.key ? weight_of(v, best, temperature) : 0;
        }
        total = block_total(total, shared);
        i64 goal = __double2ll_rz(ceil(__dmul_rn((double)state.top_p, __ll2double_rn(total))));
        kept.key = threshold(row, vocabulary, kept.key, high, goal, above, shared,
            [best, temperature](float v) { return weight_of(v, best, temperature); });
        u32 bits = kept.key & 0x80000000u ? kept.key & 0x7fffffffu : ~kept.key;
        i64 each = weight_of(__uint_as_float(bits), best, temperature);
        i64 ties = 0;
        for (int i = threadIdx.x; i < vocabulary; i += THREADS) {
            ties += key_of(row[i]) == kept.key;
        }
        ties = block_total(ties, shared);
        i64 needed = each > 0 ? (goal - above + each - 1) / each : ties;
        if (needed < ties) {
            kept.last_tie = tie_at(row, vocabulary, kept.key, needed < 1 ? 1 : needed, shared);
        }
    }
    return kept;
}

DI i64 kept_weight(const float* row, int i, int vocabulary, float best, float temperature, const Kept& kept)
{
    if (i >= vocabulary) {
        return 0;
    }
    float v = row[i];
    u32 key = key_of(v);
    if (key < kept.key || (key == kept.key && i > kept.last_tie)) {
        return 0;
    }
    i64 weight = weight_of(v, best, temperature);
    return weight >= kept.least ? weight : 0;
}

// The first id whose weight and those before it exceed the goal. A warp sums a stretch of ids; the stretch that holds the goal is then walked.
__device__ int draw(const float* row, int vocabulary, float best, const SlotState& state, const Kept& kept, Shared& shared)
{
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int stretch = (vocabulary + THREADS - 1) / THREADS * 32;
    i64 sum = 0;
    for (int i = 0; i < stretch; i += 32) {
        sum += kept_weight(row, warp * stretch + i + lane, vocabulary, best, state.temperature, kept);
    }
    sum = warp_total(sum);
    __syncthreads();
    if (lane == 0) {
        shared.sums[warp] = sum;
    }
    __syncthreads();
    i64 total = 0;
    for (int i = 0; i < WARPS; i++) {
        total += shared.sums[i];
    }
    i64 goal = (i64)__umul64hi(random_bits(state.seed, state.choice, state.output_length), (u64)total);
    int owner = 0;
    while (owner < WARPS - 1 && goal >= shared.sums[owner]) {
        goal -= shared.sums[owner++];
    }
    if (warp == owner) {
        for (int i = 0; i < stretch; i += 32) {
            int id = warp * stretch + i + lane;
            i64 through = kept_weight(row, id, vocabulary, best, state.temperature, kept);
            for (int offset = 1; offset < 32; offset *= 2) {
                i64 lower = __shfl_up_sync(0xffffffffu, through, offset);
                through += lane >= offset ? lower : 0;
            }
            u32 over = __ballot_sync(0xffffffffu, through > goal);
            if (over) {
                if (lane == __ffs(over) - 1) {
                    shared.id = id;
                }
                break;
            }
            goal -= __shfl_sync(0xffffffffu, through, 31);
        }
    }
    __syncthreads();
    return shared.id;
}
