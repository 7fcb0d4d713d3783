// Activation functions, numbered as the enum Activation.
#pragma once
#include "half.cuh"

enum { NONE, RELU, GELU, GELU_TANH, QUICK_GELU, SILU, SIGMOID, TANH };

INLINE float sigmoid(float x) { return 1.f / (1.f + __expf(-x)); }

INLINE float activate(int kind, float x)
{
    switch (kind)
    {
        case RELU: return fmaxf(x, 0.f);
        case GELU: return 0.5f * x * (1.f + erff(x * 0.70710678f));
        case GELU_TANH: return x * sigmoid(1.59576912f * (x + 0.044715f * x * x * x)); // (1 + tanh y) / 2 = sigmoid(2 y)
        case QUICK_GELU: return x * sigmoid(1.702f * x);
        case SILU: return x * sigmoid(x);
        case SIGMOID: return sigmoid(x);
        case TANH: return tanhf(x);
        default: return x;
    }
}
