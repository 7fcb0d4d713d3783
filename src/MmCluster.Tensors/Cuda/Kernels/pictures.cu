// Resampling: indices and weights of both axes are made on the host ([outputs][taps]).
#include "common.cuh"

#define INTERPOLATE(S, T) \
    KERNEL interpolate_##S(const T* x, T* y, int height, int width, int out_height, int out_width, i64 count, \
                           const int* rows, const float* row_weights, int row_taps, const int* columns, const float* column_weights, int column_taps) \
    { \
        for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < count; i += (i64)gridDim.x * blockDim.x) \
        { \
            int column = (int)(i % out_width); \
            i64 rest = i / out_width; \
            int row = (int)(rest % out_height); \
            const T* plane = x + rest / out_height * height * width; \
            float sum = 0; \
            for (int r = row * row_taps; r < (row + 1) * row_taps; r++) \
            { \
                float line = 0; \
                for (int c = column * column_taps; c < (column + 1) * column_taps; c++) \
                    line += to_float(plane[(i64)rows[r] * width + columns[c]]) * column_weights[c]; \
                sum += line * row_weights[r]; \
            } \
            y[i] = from_float<T>(sum); \
        } \
    }
FLOAT_TYPES(INTERPOLATE)
