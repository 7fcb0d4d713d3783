// Attention with everything that AttentionOptions knows, over tensors or over blocks. Correct for all shapes; common ones have faster kernels of their own.
// A block of four warps does one query and head; a warp takes 32 keys at a time and keeps a running softmax, the four are joined at the end.
#include "common.cuh"

#define NEG_INF __int_as_float(0xff800000)
#define WARPS 4

// CudaAttention of C#, byte for byte.
struct Arguments
{
    const void* q; i64 q_sequence, q_token, q_head;
    void* y; i64 y_sequence, y_token, y_head;
    const void* k; i64 k_sequence, k_token, k_head; // over blocks: k is the first block and these are not read
    const void* v; i64 v_sequence, v_token, v_head;
    const int* query_starts;     // null: every sequence has query_length tokens
    const int* sequence_lengths; // null: every sequence has key_length positions
    const int* block_tables;     // null: k and v are tensors
    const int* visible_ends;
    const int* visible_starts;
    const float* alibi;
    const float* distance_bias;
    const u8* mask; i64 mask_strides[4];
    const float* bias; i64 bias_strides[4];
    int heads, kv_heads, key_dim, value_dim, sequences, query_length, key_length, table_width, distances, window, causal, queries_are_last;
    float scale, soft_cap;
};

template <class T, class K> DI void attention(const Arguments& a)
{
    extern __shared__ float memory[];
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, head = blockIdx.y, D = a.key_dim, V = a.value_dim;
    float* query = memory;                      // [D], scaled
    float* sums = memory + D + warp * V;        // [warps][V]
    float* states = memory + D + WARPS * V;     // [warps][2]
    i64 row = blockIdx.x;
    int sequence, token;
    pdl_launch();
    pdl_wait();
    if (a.query_starts)
    {
        int low = 0, high = a.sequences - 1; // the last sequence that starts at or before the row
        while (low < high)
        {
            int middle = (low + high + 1) >> 1;
            if (a.query_starts[middle] <= row) low = middle; else high = middle - 1;
        }
        sequence = low;
        token = (int)row - a.query_starts[low];
    }
    else
    {
        sequence = (int)(row / a.query_length);
        token = (int)(row - (i64)sequence * a.query_length);
    }
    const int keys = a.sequence_lengths ? a.sequence_lengths[sequence] : a.key_length;
    const int queries = a.query_starts ? a.query_starts[sequence + 1] - a.query_starts[sequence] : a.query_length;
    const int position = a.queries_are_last ? keys - queries + token : token;
    int end = a.visible_ends ? a.visible_ends[row] : a.causal ? position + 1 : keys;
    end = min(end, keys);
    const int first = max(a.window == 0x7fffffff ? 0 : max(0, position - a.window + 1), a.visible_starts ? a.visible_starts[row] : 0);
    const i64 in_batch = a.query_starts ? row : token, item = a.query_starts ? 0 : sequence;

    const T* q = (const T*)a.q + item * a.q_sequence + in_batch * a.q_token + head * a.q_head;
    for (int d = threadIdx.x; d < D; d += blockDim.x) query[d] = to_float(q[d]) * a.scale;
    for (int d = lane; d < V; d += 32) sums[d] = 0;
    __syncthreads();

    const int kv_head = head / (a.heads / a.kv_heads);
    const int* table = a.block_tables ? a.block_tables + (i64)sequence * a.table_width : 0;
    float largest = NEG_INF, total = 0;
    for (int start = first / 32 * 32 + warp * 32; start < end; start += WARPS * 32)
    {
        int key = start + lane;
        float s = NEG_INF;
        i64 value_at = 0;
        if (key >= first && key < end)
        {
            const K* k;
            if (table)
            {
                i64 at = (((i64)table[key >> 4] * a.kv_heads + kv_head) * 32 + (key & 15)) * D;
                k = (const K*)a.k + at;
                value_at = at + 16 * D;
            }
            else
            {
                k = (const K*)a.k + sequence * a.k_sequence + key * a.k_token + kv_head * a.k_head;
                value_at = sequence * a.v_sequence + key * a.v_token + kv_head * a.v_head;
            }
            s = 0;
            for (int d = 0; d < D; d++) s = fmaf(query[d], to_float(k[d]), s);
            if (a.soft_cap > 0) s = a.soft_cap * tanhf(s / a.soft_cap);
            if (a.alibi) s += a.alibi[head] * (float)(key - position);
            if (a.distance_bias) s += a.distance_bias[(i64)head * a.distances + max(0, min(position - key, a.distances - 1))];
            if (a.bias) s += a.bias[sequence * a.bias_strides[0] + head * a.bias_strides[1] + token * a.bias_strides[2] + key * a.bias_strides[3]];
            if (a.mask && !a.mask[sequence * a.mask_strides[0] + head * a.mask_strides[1] + token * a.mask_strides[2] + key * a.mask_strides[3]]) s = NEG_INF;
        }
        float top = fmaxf(largest, warp_max(s));
        if (top == NEG_INF) continue;
        float change = expf(largest - top), p = expf(s - top);
        largest = top;
        total = total * change + warp_sum(p);
        for (int d = lane; d < V; d += 32) sums[d] *= change;
        const K* values = table ? (const K*)a.k : (const K*)a.v;
        int last = min(32, end - start);
        for (int j = 0; j < last; j++)
        {
            float weight = __shfl_sync(~0u, p, j);
            i64 at = __shfl_sync(~0u, value_at, j);
            if (weight == 0.f) continue; // not seen, so perhaps not there
            for (int d = lane; d < V; d += 32) sums[d] = fmaf(weight, to_float(values[at + d]), sums[d]);
        }
    }
    if (lane == 0)
    {
        states[2 * warp] = largest;
        states[2 * warp + 1] = total;
    }
    __syncthreads();
    float top = NEG_INF, all = 0, factors[WARPS];
    for (int w = 0; w < WARPS; w++) top = fmaxf(top, states[2 * w]);
    for (int w = 0; w < WARPS; w++)
    {
        factors[w] = top == NEG_INF ? 0 : expf(states[2 * w] - top);
        all += states[2 * w + 1] * factors[w];
    }
    T* y = (T*)a.y + item * a.y_sequence + in_batch * a.y_token + head * a.y_head;
    for (int d = threadIdx.x; d < V; d += blockDim.x)
    {
        float sum = 0;
        for (int w = 0; w < WARPS; w++) sum += memory[D + w * V + d] * factors[w];
        y[d] = from_float<T>(all > 0 ? sum / all : 0.f); // a query that sees nothing gives zeros
    }
}
#define ATTENTION(ST, T, SK, K) \
    KERNEL attention_##ST##_##SK(const Arguments a) { attention<T, K>(a); }
#define ATTENTION_TYPES(S, T) ATTENTION(S, T, f32, float) ATTENTION(S, T, bf16, bf16) ATTENTION(S, T, f16, f16)
FLOAT_TYPES(ATTENTION_TYPES)
