// Activations for results of 16 bits, on approximate exponentials and divisions: between two products they must not cost more than their memory.
#pragma once
#include "half.cuh"

DI float sigmoid_fast(float x) { return __fdividef(1.f, 1.f + __expf(-x)); }

// The activation of that number in C#'s enumeration Activation.
DI float activate_fast(float x, int activation)
{
    switch (activation)
    {
        case ACT_GELU_TANH: return x * sigmoid_fast(1.59576912f * (x + 0.044715f * x * x * x)); // (1 + tanh y) / 2 = sigmoid(2 y)
        case ACT_QUICK_GELU: return x * sigmoid_fast(1.702f * x);
        case ACT_SILU: return x * sigmoid_fast(x);
        case ACT_SIGMOID: return sigmoid_fast(x);
        default: return activate(x, activation);
    }
}
