// Picking and placing by index. Indices are dense; whoever put them on the GPU has checked them.
#include "common.cuh"

DI i64 index_at(const void* ids, int wide, i64 i) { return wide ? ((const i64*)ids)[i] : ((const int*)ids)[i]; }

struct Loop
{
    int shape[8];
    int index[8];
    i64 strides[4][8];
    int rank, operands;
    i64 runs;
};
DI void locate(const Loop& loop, i64 i, i64& from, i64& to)
{
    from = to = 0;
    for (int axis = loop.rank - 1; axis >= 0; axis--)
    {
        i64 n = loop.shape[axis], q = i / n, r = i - q * n;
        i = q;
        from += r * loop.strides[0][axis];
        to += r * loop.strides[1][axis];
    }
}
DI void move(int size, const void* x, i64 from, void* y, i64 to)
{
    if (size == 1) ((u8*)y)[to] = ((const u8*)x)[from];
    else if (size == 2) ((u16*)y)[to] = ((const u16*)x)[from];
    else if (size == 4) ((u32*)y)[to] = ((const u32*)x)[from];
    else ((u64*)y)[to] = ((const u64*)x)[from];
}

// y[row] = x[ids[row]]; the loop is over one row; grid: (parts of a row, rows)
KERNEL select_rows(int size, const void* x, i64 x_step, const void* ids, int wide, void* y, i64 y_step, const Loop loop, i64 count, i64 rows)
{
    for (i64 row = blockIdx.y; row < rows; row += gridDim.y)
    {
        i64 id = index_at(ids, wide, row);
        for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < count; i += (i64)gridDim.x * blockDim.x)
        {
            i64 from, to;
            locate(loop, i, from, to);
            move(size, x, id * x_step + from, y, row * y_step + to);
        }
    }
}

// x[ids[row]] = rows[row]; of equal ids the last one is written
KERNEL scatter_rows(int size, const void* rows_of, i64 rows_step, const void* ids, int wide, void* x, i64 x_step, const Loop loop, i64 count, i64 rows)
{
    for (i64 row = blockIdx.y; row < rows; row += gridDim.y)
    {
        i64 id = index_at(ids, wide, row);
        int again = 0;
        for (i64 later = row + 1 + threadIdx.x; later < rows; later += blockDim.x) again |= index_at(ids, wide, later) == id;
        if (__syncthreads_or(again)) continue;
        for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < count; i += (i64)gridDim.x * blockDim.x)
        {
            i64 from, to;
            locate(loop, i, from, to);
            move(size, rows_of, row * rows_step + from, x, id * x_step + to);
        }
    }
}

// y[i...] = x with the index along an axis replaced; loop: shape of y, strides of x in operand 0
KERNEL gather(int size, const void* x, int axis, const void* ids, int wide, void* y, const Loop loop, i64 count)
{
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < count; i += (i64)gridDim.x * blockDim.x)
    {
        i64 rest = i, from = 0;
        for (int a = loop.rank - 1; a >= 0; a--)
        {
            i64 q = rest / loop.shape[a], r = rest - q * loop.shape[a];
            rest = q;
            from += (a == axis ? index_at(ids, wide, i) : r) * loop.strides[0][a];
        }
        move(size, x, from, y, i);
    }
}

// Words from or to pinned memory of the host: sooner there than a copy, for which the stream changes engines twice.
KERNEL copy_words(const u32* from, u32* to, int count)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count)
    {
        to[i] = from[i];
    }
}
