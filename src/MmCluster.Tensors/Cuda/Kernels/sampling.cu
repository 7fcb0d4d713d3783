// Draws tokens from rows of logits that stay on the device. MmCluster.Engine/Sampling is the same on the processor: same rules in the same order, same random
// numbers, weights as whole numbers from the same operations, so both draw the same token from the same logits. One block a sequence.

#include "common.cuh"

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
    u32 k0 = (u32)seed, k1 = (u32)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        u64 p0 = 0xD2511F53ull * c0, p1 = 0xCD9E8D57ull * c2;
        c0 = (u32)(p1 >> 32) ^ c1 ^ k0;
        c1 = (u32)p1;
        c2 = (u32)(p0 >> 32) ^ c3 ^ k1;
        c3 = (u32)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
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
        for (int i = threadIdx.x; i < vocabulary / 4; i += THREADS) {
            float4 four = fours[i];
            if (before(four.x, 4 * i, value, id)) { value = four.x; id = 4 * i; }
            if (before(four.y, 4 * i + 1, value, id)) { value = four.y; id = 4 * i + 1; }
            if (before(four.z, 4 * i + 2, value, id)) { value = four.z; id = 4 * i + 2; }
            if (before(four.w, 4 * i + 3, value, id)) { value = four.w; id = 4 * i + 3; }
        }
    } else {
        for (int i = threadIdx.x; i < vocabulary; i += THREADS) {
            float v = row[i];
            if (before(v, i, value, id)) { value = v; id = i; }
        }
    }
    block_best(value, id, shared);
}

// Mask, minimum length, bias, penalties, in this order, into the row's scratch.
__device__ void apply_rules(const float* logits, float* row, const u32* mask, int vocabulary, const SlotState& state)
{
    for (int i = threadIdx.x; i < vocabulary; i += THREADS) {
        row[i] = mask && !((mask[i / 32] >> (i % 32)) & 1) ? NEGATIVE_INFINITY : logits[i];
    }
    __syncthreads();
    if (state.output_length < state.min_tokens) {
        for (int i = threadIdx.x; i < state.stop_count; i += THREADS) {
            row[state.lists[2 * state.bias_count + i]] = NEGATIVE_INFINITY;
        }
        __syncthreads();
    }
    for (int i = threadIdx.x; i < state.bias_count; i += THREADS) {
        int id = state.lists[2 * i];
        row[id] = __fadd_rn(row[id], __int_as_float(state.lists[2 * i + 1]));
    }
    __syncthreads();
    if (state.counts) {
        for (int i = threadIdx.x; i < vocabulary; i += THREADS) {
            u32 seen = state.counts[i];
            if (seen) {
                float v = row[i];
                if (state.repetition != 1.0f) {
                    v = v > 0 ? __fdiv_rn(v, state.repetition) : __fmul_rn(v, state.repetition);
                }
                u32 count = seen & ~IN_PROMPT;
                if (count) {
                    v = __fsub_rn(v, __fadd_rn(__fmul_rn(state.frequency, (float)count), state.presence));
                }
                row[i] = v;
            }
        }
        __syncthreads();
    }
}

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

// Logprobs of the raw logits: the chosen token's, then the best ones'.
__device__ void report(const float* logits, int vocabulary, int token, int count, float* chosen, int* ids, float* values, Shared& shared)
{
    float best;
    int best_id;
    best_of(logits, vocabulary, best, best_id, shared);
    float sum = 0;
    for (int i = threadIdx.x; i < vocabulary; i += THREADS) {
        sum += expf(logits[i] - best);
    }
    for (int offset = 16; offset > 0; offset /= 2) {
        sum += __shfl_xor_sync(0xffffffffu, sum, offset);
    }
    __syncthreads();
    if (threadIdx.x % 32 == 0) {
        shared.values[threadIdx.x / 32] = sum;
    }
    __syncthreads();
    sum = shared.values[threadIdx.x % 32];
    for (int offset = 16; offset > 0; offset /= 2) {
        sum += __shfl_xor_sync(0xffffffffu, sum, offset);
    }
    float log_sum = best + logf(sum);
    if (threadIdx.x == 0) {
        *chosen = logits[token] - log_sum;
    }
    for (int rank = 0; rank < count; rank++) {
        if (threadIdx.x == 0) {
            ids[rank] = best_id;
            values[rank] = best - log_sum;
        }
        float last = best;
        int last_id = best_id;
        best_behind(logits, vocabulary, last, last_id, best, best_id, shared);
    }
}

// Samples each job's rows, one behind the other as long as drafts hold. Tokens go to `tokens` by row; counts[job] says how many, -1: the logits hold NaN,
// -2: nothing can be drawn.
KERNEL __launch_bounds__(THREADS) sample(const float* logits, float* scratch, int vocabulary, const SampleJob* jobs, const int* drafts,
    const u32* masks, SlotState* states, int* tokens, int* counts, float* chosen, int* top_ids, float* top_values, int max_top)
{
    __shared__ Shared shared;
    SampleJob job = jobs[blockIdx.x];
    if (job.slot < 0) {
        return;
    }
    SlotState* slot = states + job.slot;
    if (threadIdx.x == 0) {
        shared.state = *slot;
    }
    __syncthreads();
    int words = (vocabulary + 31) / 32;
    int done = 0;
    for (int draft = 0; draft <= job.drafts; draft++) {
        int at = job.row + draft;
        const float* raw = logits + (i64)at * vocabulary;
        const float* row = raw;
        const u32* mask = job.mask < 0 ? 0 : masks + job.mask + draft * words;
        const SlotState& state = shared.state;
        if (mask || state.counts || state.bias_count > 0 || state.output_length < state.min_tokens) {
            float* changed = scratch + (i64)at * vocabulary;
            apply_rules(raw, changed, mask, vocabulary, state);
            row = changed;
        }
        float best;
        int token;
        best_of(row, vocabulary, best, token, shared);
        if (!(best > NEGATIVE_INFINITY && best <= 3.402823466e+38f)) {
            done = best != best ? -1 : -2;
            break;
        }
        if (state.temperature > 0) {
            Kept kept = keep(row, vocabulary, best, state, shared);
            token = draw(row, vocabulary, best, state, kept, shared);
        }
        if (state.logprobs >= 0) {
            report(raw, vocabulary, token, state.logprobs, chosen + at, top_ids + (i64)at * max_top, top_values + (i64)at * max_top, shared);
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            tokens[at] = token;
            shared.state.output_length++;
            shared.state.last_token = token;
            if (shared.state.counts) {
                shared.state.counts[token]++;
            }
        }
        __syncthreads();
        done++;
        if (draft < job.drafts && token != drafts[job.draft_offset + draft]) {
            break;
        }
    }
    if (threadIdx.x == 0) {
        counts[blockIdx.x] = done;
        slot->output_length = shared.state.output_length;
        slot->last_token = shared.state.last_token;
    }
}

// Fills slots. A start is, as 4-byte words: slot, list words, tokens, prompt tokens, the state, the lists, the tokens (only with penalties).
KERNEL begin_slots(const int* step, const int* offsets, SlotState* states, int vocabulary)
{
    const int* start = step + offsets[blockIdx.x];
    SlotState* slot = states + start[0];
    int list_words = start[1], token_count = start[2], prompt = start[3];
    const int* state = start + 4;
    const int* lists = state + sizeof(SlotState) / 4;
    const int* tokens = lists + list_words;
    for (int i = threadIdx.x; i < (int)(sizeof(SlotState) / 4); i += blockDim.x) {
        ((int*)slot)[i] = state[i];
    }
    __syncthreads();
    for (int i = threadIdx.x; i < list_words; i += blockDim.x) {
        slot->lists[i] = lists[i];
    }
    u32* counts = slot->counts;
    if (counts) {
        for (int i = threadIdx.x; i < vocabulary; i += blockDim.x) {
            counts[i] = 0;
        }
        __syncthreads();
        for (int i = threadIdx.x; i < token_count; i += blockDim.x) {
            if (i < prompt) {
                atomicOr(counts + tokens[i], IN_PROMPT);
            } else {
                atomicAdd(counts + tokens[i], 1);
            }
        }
    }
}

// Ids of a step: as the host knows them, or -1 - slot for the token that this slot drew last.
KERNEL gather_tokens(const int* known, const SlotState* states, int* ids, int count)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) {
        ids[i] = known[i] >= 0 ? known[i] : states[-1 - known[i]].last_token;
    }
}
