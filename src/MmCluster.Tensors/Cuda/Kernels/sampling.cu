// Draws tokens from rows of logits that stay on the device. MmCluster.Engine/Sampling is the same on the processor: same rules in the same order, same random
// numbers, weights as whole numbers from the same operations, so both draw the same token from the same logits. One block a sequence.
#include "sampling_draw.cuh"

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
