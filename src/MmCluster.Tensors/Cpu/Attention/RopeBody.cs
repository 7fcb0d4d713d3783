using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu.Attention;

/// <summary>Turns queries, turns keys and puts keys and values into their blocks, one token a part.</summary>
internal unsafe struct RopeBody<T> : IParallelBody where T : unmanaged, IVec<T>
{
    internal float* Q; // turned into QOut, or null
    internal float* QOut;
    internal long QToken;
    internal long QHead;
    internal long QOutToken;
    internal long QOutHead;
    internal int Heads;

    internal float* K; // turned where Cos is not null, into the blocks; or null
    internal long KToken;
    internal long KHead;
    internal float* V;
    internal long VToken;
    internal long VHead;

    internal float* Cos;
    internal float* Sin;
    internal int RotaryHalf;
    internal bool Interleaved;
    internal int HeadDim;
    internal int* Positions;

    internal KvView Kv;
    internal int* Slots;
    internal int Tokens;
    internal int TokensAPart;

    public readonly void Invoke(int part)
    {
        int end = Math.Min(Tokens, (part + 1) * TokensAPart);
        for (int token = part * TokensAPart; token < end; token++)
        {
            Token(token);
        }
    }

    private readonly void Token(int token)
    {
        long row = Cos == null ? 0 : (long)Positions[token] * RotaryHalf;
        for (int head = 0; head < Heads && Q != null; head++)
        {
            float* from = Q + (token * QToken) + (head * QHead);
            Turn(from, QOut + (token * QOutToken) + (head * QOutHead), row);
        }

        if (K == null || Slots[token] < 0)
        {
            return;
        }

        float* turned = stackalloc float[HeadDim];
        (int block, int position) = Math.DivRem(Slots[token], PagedKv.BlockSize);
        for (int head = 0; head < Kv.Heads; head++)
        {
            float* key = K + (token * KToken) + (head * KHead);
            if (Cos != null)
            {
                Turn(key, turned, row);
                key = turned;
            }

            Kv.Write(block, position, head, key, V + (token * VToken) + (head * VHead));
        }
    }

    private readonly void Turn(float* x, float* y, long row)
    {
        float* cos = Cos + row;
        float* sin = Sin + row;
        if (Interleaved)
        {
            for (int i = 0; i < RotaryHalf; i++)
            {
                float even = x[2 * i];
                float odd = x[(2 * i) + 1];
                y[2 * i] = MathF.FusedMultiplyAdd(even, cos[i], -(odd * sin[i]));
                y[(2 * i) + 1] = MathF.FusedMultiplyAdd(odd, cos[i], even * sin[i]);
            }
        }
        else
        {
            TurnHalves(x, y, cos, sin);
        }

        for (int d = 2 * RotaryHalf; d < HeadDim; d++)
        {
            y[d] = x[d];
        }
    }

    private readonly void TurnHalves(float* x, float* y, float* cos, float* sin)
    {
        int half = RotaryHalf;
        int i = 0;
        for (; i + T.Count <= half; i += T.Count)
        {
            T first = T.Load(x + i), second = T.Load(x + half + i), c = T.Load(cos + i), s = T.Load(sin + i);
            T.Fma(first, c, -(second * s)).Store(y + i);
            T.Fma(second, c, first * s).Store(y + half + i);
        }

        for (; i < half; i++)
        {
            float first = x[i];
            float second = x[half + i];
            y[i] = MathF.FusedMultiplyAdd(first, cos[i], -(second * sin[i]));
            y[half + i] = MathF.FusedMultiplyAdd(second, cos[i], first * sin[i]);
        }
    }
}

/// <summary>Lays out keys and values [batch, heads, positions, dim] in blocks for one call; a part is one head of one item.</summary>
internal unsafe struct KvPackBody : IParallelBody
{
    internal float* K;
    internal Strides KStrides;
    internal float* V;
    internal Strides VStrides;
    internal int Length;
    internal KvView Kv;

    public readonly void Invoke(int part)
    {
        (int item, int head) = Math.DivRem(part, Kv.Heads);
        long first = (long)item * ((Length + PagedKv.BlockSize - 1) / PagedKv.BlockSize);
        for (int i = 0; i < Length; i++)
        {
            float* key = K + (item * KStrides[0]) + (head * KStrides[1]) + (i * KStrides[2]);
            float* value = V + (item * VStrides[0]) + (head * VStrides[1]) + (i * VStrides[2]);
            Kv.Write(first + (i / PagedKv.BlockSize), i % PagedKv.BlockSize, head, key, value);
        }
    }
}
