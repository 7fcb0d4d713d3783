// Elementwise operations with strides and broadcasting, copies and conversions.
#include "common.cuh"

// StridedLoop of C#, byte for byte: axes of all operands, merged where they lie evenly, the last one innermost.
struct Loop
{
    int shape[8];
    int index[8];
    i64 strides[4][8];
    int rank, operands;
    i64 runs;
};

template <int OPERANDS> DI void locate(const Loop& loop, i64 i, i64* at)
{
#pragma unroll
    for (int o = 0; o < OPERANDS; o++) at[o] = 0;
    for (int axis = loop.rank - 1; axis >= 0; axis--)
    {
        i64 n = loop.shape[axis], q;
        if (i < 0x7fffffff) q = (u32)i / (u32)n; else q = i / n;
        i64 r = i - q * n;
        i = q;
#pragma unroll
        for (int o = 0; o < OPERANDS; o++) at[o] += r * loop.strides[o][axis];
    }
}

enum { NEG, ABS, EXP, LOG, SQRT, RSQRT, SIN, COS, POW, CLAMP, AFFINE, RECIPROCAL, RELU, GELU, GELU_TANH, QUICK_GELU, SILU, SIGMOID, TANH, ERF };
DI float unary(int op, float x, float a, float b)
{
    switch (op)
    {
        case NEG: return -x;
        case ABS: return fabsf(x);
        case EXP: return expf(x);
        case LOG: return logf(x);
        case SQRT: return sqrtf(x);
        case RSQRT: return 1.f / sqrtf(x);
        case SIN: return sinf(x);
        case COS: return cosf(x);
        case POW: return powf(x, a);
        case CLAMP: { float low = x < a ? a : x; return low > b ? b : low; } // NaN stays
        case AFFINE: return fmaf(x, a, b);
        case RECIPROCAL: return a / x;
        case RELU: return relu(x);
        case GELU: return gelu(x);
        case GELU_TANH: return gelu_tanh(x);
        case QUICK_GELU: return x * sigmoid(1.702f * x);
        case SILU: return x * sigmoid(x);
        case SIGMOID: return sigmoid(x);
        case TANH: return tanhf(x);
        default: return erff(x);
    }
}

enum { ADD, SUB, MUL, DIV, POWER, MAXIMUM, MINIMUM, SILU_MUL, GELU_MUL, GELU_TANH_MUL, EQUAL, NOT_EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL };
DI float binary(int op, float x, float y)
{
    switch (op)
    {
        case ADD: return x + y;
        case SUB: return x - y;
        case MUL: return x * y;
        case DIV: return x / y;
        case POWER: return powf(x, y);
        case MAXIMUM: return x < y ? y : y < x ? x : (x + y) * 0.5f; // NaN where either is
        case MINIMUM: return x < y ? x : y < x ? y : (x + y) * 0.5f;
        case SILU_MUL: return x * sigmoid(x) * y;
        case GELU_MUL: return gelu(x) * y;
        default: return gelu_tanh(x) * y;
    }
}
template <class V> DI bool compare(int op, V x, V y)
{
    switch (op)
    {
        case EQUAL: return x == y;
        case NOT_EQUAL: return x != y;
        case LESS: return x < y;
        case LESS_EQUAL: return x <= y;
        case GREATER: return x > y;
        default: return x >= y;
    }
}

// four: the loop counts in groups of four neighbours, a thread does one
#define UNARY(S, T) \
    KERNEL unary_##S(int op, const T* x, T* y, const Loop loop, i64 count, int four, float a, float b) \
    { \
        for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < count; i += (i64)gridDim.x * blockDim.x) \
        { \
            i64 at[2]; \
            locate<2>(loop, i, at); \
            if (four) \
            { \
                float v[4]; \
                load4(x + 4 * at[0], v); \
                for (int j = 0; j < 4; j++) v[j] = unary(op, v[j], a, b); \
                store4(y + 4 * at[1], v); \
            } \
            else y[at[1]] = from_float<T>(unary(op, to_float(x[at[0]]), a, b)); \
        } \
    }
FLOAT_TYPES(UNARY)

#define BINARY(S, T) \
    KERNEL binary_##S(int op, const T* x, const T* y, T* z, const Loop loop, i64 count, int four) \
    { \
        for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < count; i += (i64)gridDim.x * blockDim.x) \
        { \
            i64 at[3]; \
            locate<3>(loop, i, at); \
            if (four) \
            { \
                float v[4], w[4]; \
                load4(x + 4 * at[0], v); \
                load4(y + 4 * at[1], w); \
                for (int j = 0; j < 4; j++) v[j] = binary(op, v[j], w[j]); \
                store4(z + 4 * at[2], v); \
            } \
            else z[at[2]] = from_float<T>(binary(op, to_float(x[at[0]]), to_float(y[at[1]]))); \
        } \
    } \
    KERNEL compare_##S(int op, const T* x, const T* y, u8* z, const Loop loop, i64 count) \
    { \
        for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < count; i += (i64)gridDim.x * blockDim.x) \
        { \
            i64 at[3]; \
            locate<3>(loop, i, at); \
            z[at[2]] = compare(op, to_float(x[at[0]]), to_float(y[at[1]])); \
        } \
    }
FLOAT_TYPES(BINARY)

// DType of C#
enum { F32, F16, BF16, I64, I32, U8, BOOL };
DI i64 load_integer(const void* p, int type, i64 at) { return type == I64 ? ((const i64*)p)[at] : type == I32 ? ((const int*)p)[at] : ((const u8*)p)[at]; }
DI void store_integer(void* p, int type, i64 at, i64 v)
{
    if (type == I64) ((i64*)p)[at] = v;
    else if (type == I32) ((int*)p)[at] = (int)v;
    else ((u8*)p)[at] = (u8)v;
}
DI float load_float(const void* p, int type, i64 at)
{
    return type == F32 ? ((const float*)p)[at] : type == BF16 ? to_float(((const bf16*)p)[at]) : to_float(((const f16*)p)[at]);
}
DI void store_float(void* p, int type, i64 at, float v)
{
    if (type == F32) ((float*)p)[at] = v;
    else if (type == BF16) ((bf16*)p)[at] = from_float<bf16>(v);
    else ((f16*)p)[at] = from_float<f16>(v);
}

KERNEL binary_integer(int op, int type, const void* x, const void* y, void* z, const Loop loop, i64 count)
{
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < count; i += (i64)gridDim.x * blockDim.x)
    {
        i64 at[3];
        locate<3>(loop, i, at);
        i64 a = load_integer(x, type, at[0]), b = load_integer(y, type, at[1]);
        if (op >= EQUAL) ((u8*)z)[at[2]] = compare(op, a, b);
        else store_integer(z, type, at[2], op == ADD ? a + b : op == SUB ? a - b : op == MUL ? a * b : op == MAXIMUM ? (a > b ? a : b) : (a < b ? a : b));
    }
}

template <class U> DI void choose(const u8* condition, const void* x, const void* y, void* z, const i64* at)
{
    ((U*)z)[at[3]] = condition[at[0]] ? ((const U*)x)[at[1]] : ((const U*)y)[at[2]];
}
KERNEL where(int size, const u8* condition, const void* x, const void* y, void* z, const Loop loop, i64 count)
{
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < count; i += (i64)gridDim.x * blockDim.x)
    {
        i64 at[4];
        locate<4>(loop, i, at);
        if (size == 1) choose<u8>(condition, x, y, z, at);
        else if (size == 2) choose<u16>(condition, x, y, z, at);
        else if (size == 4) choose<u32>(condition, x, y, z, at);
        else choose<u64>(condition, x, y, z, at);
    }
}

template <class U> DI void move(const void* x, void* y, const Loop& loop, i64 count)
{
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < count; i += (i64)gridDim.x * blockDim.x)
    {
        i64 at[2];
        locate<2>(loop, i, at);
        ((U*)y)[at[1]] = ((const U*)x)[at[0]];
    }
}
// size: bytes a thread moves; the loop counts in them
KERNEL copy(int size, const void* x, void* y, const Loop loop, i64 count)
{
    if (size == 1) move<u8>(x, y, loop, count);
    else if (size == 2) move<u16>(x, y, loop, count);
    else if (size == 4) move<u32>(x, y, loop, count);
    else if (size == 8) move<u64>(x, y, loop, count);
    else move<uint4>(x, y, loop, count);
}

KERNEL convert(int from, const void* x, int to, void* y, const Loop loop, i64 count)
{
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < count; i += (i64)gridDim.x * blockDim.x)
    {
        i64 at[2];
        locate<2>(loop, i, at);
        if (from <= BF16)
        {
            float v = load_float(x, from, at[0]);
            if (to <= BF16) store_float(y, to, at[1], v);
            else store_integer(y, to, at[1], to == BOOL ? v != 0.f : (i64)v);
        }
        else
        {
            i64 v = load_integer(x, from, at[0]);
            if (to <= BF16) store_float(y, to, at[1], (float)v);
            else store_integer(y, to, at[1], to == BOOL ? v != 0 : v);
        }
    }
}

KERNEL fill_i64(i64* x, i64 count, i64 value)
{
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < count; i += (i64)gridDim.x * blockDim.x) x[i] = value;
}
