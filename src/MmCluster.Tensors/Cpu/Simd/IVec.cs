namespace MmCluster.Tensors.Cpu.Simd;

/// <summary>
/// A vector register of floats, so that a kernel is written once for 512, 256 and 128 bits. Lanes never mix except in the members named Across,
/// so a value's result does not depend on its lane.
/// </summary>
internal unsafe interface IVec<T> where T : struct, IVec<T>
{
    static abstract int Count { get; }

    static abstract T Zero { get; }

    static abstract T Splat(float value);

    static abstract T Load(float* p);

    void Store(float* p);

    /// <summary>Widens Count pairs of BF16: the low halves of the words, and the high halves.</summary>
    static abstract void LoadBF16Pairs(uint* p, out T low, out T high);

    /// <summary>Widens Count BF16 values.</summary>
    static abstract T LoadBF16(ushort* p);

    /// <summary>Widens Count signed bytes.</summary>
    static abstract T LoadInt8(sbyte* p);

    static abstract T operator +(T a, T b);

    static abstract T operator -(T a, T b);

    static abstract T operator *(T a, T b);

    static abstract T operator /(T a, T b);

    static abstract T operator -(T a);

    /// <summary>a * b + c, rounded once.</summary>
    static abstract T Fma(T a, T b, T c);

    /// <summary>The smaller; b where either is NaN.</summary>
    static abstract T Min(T a, T b);

    /// <summary>The larger; b where either is NaN.</summary>
    static abstract T Max(T a, T b);

    static abstract T Abs(T a);

    static abstract T Sqrt(T a);

    /// <summary>To the nearest whole number, ties to even.</summary>
    static abstract T Round(T a);

    /// <summary>a * 2^n for whole n in -252..252.</summary>
    static abstract T Scale(T a, T n);

    /// <summary>a &lt; b ? yes : no; no where either is NaN.</summary>
    static abstract T SelectLess(T a, T b, T yes, T no);

    /// <summary>The magnitude of a with the sign of b.</summary>
    static abstract T CopySign(T a, T b);

    /// <summary>Sum of the lanes, in a fixed order.</summary>
    float SumAcross();

    /// <summary>Largest lane.</summary>
    float MaxAcross();
}
