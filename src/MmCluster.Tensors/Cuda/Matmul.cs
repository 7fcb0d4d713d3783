using System.Collections.Concurrent;
using System.Numerics;
using System.Runtime.InteropServices;
using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Tensors.Cuda;

/// <summary>A product y [M, N] (+)= x [M, K] Wᵀ + bias, W [N, K] dense; steps are elements between rows, the bias has y's type.</summary>
internal readonly record struct MatmulShape(int M, int N, int K, long XStep, long YStep, DType Type, DType Output, bool Adds, bool Biased = false);

/// <summary>
/// Products by cuBLASLt, sums in F32 and without TF32. For each size of problem (M up to a power of two, N, K, types) its algorithms are timed once, on the
/// operands at hand with the cache emptied in between, because the first one proposed may take twice the best one's time; the choice is kept on disk. A
/// capture cannot time anything: run the sizes once before. Deterministic, one algorithm a (N, K) serves all M. Thread-safe.
/// </summary>
internal sealed unsafe class Matmul
{
    private const long WorkspaceBytes = 64L << 20;
    private const int MaxCandidates = 16;
    private const int Rounds = 3;
    private const int DeterministicRows = 128;

    // Numbers of rows for whose products cuBLASLt is asked what it proposes, where reading W takes the time.
    private static readonly int[] FewRows = [16, 24, 32, 48, 64, 96, 128];

    private readonly CudaContext _context;
    private readonly nint _handle;
    private readonly ConcurrentDictionary<(MatmulShape Shape, int Alignment, bool Deterministic), Plan> _plans = new();
    private readonly Lock _tuning = new();

    internal Matmul(CudaContext context)
    {
        _context = context;
        context.Bind();
        nint handle;
        CudaCall.Check(CublasLt.cublasLtCreate(&handle));
        _handle = handle;
    }

    /// <summary>Queues it; false where cuBLASLt has nothing for these sizes.</summary>
    internal bool TryRun(MatmulShape shape, nint x, nint w, nint y, nint bias = 0)
    {
        _context.Bind();
        if (shape.M == 1)
        {
            shape = shape with { XStep = shape.K, YStep = shape.N };
        }

        int alignment = (int)Math.Min(256, 1L << BitOperations.TrailingZeroCount(x | w | y));
        bool deterministic = _context.Deterministic;
        if (!_plans.TryGetValue((shape, alignment, deterministic), out Plan? plan))
        {
            lock (_tuning)
            {
                plan = _plans.GetOrAdd((shape, alignment, deterministic), _ => MakePlan(shape, alignment, x, w, y, bias));
            }
        }

        if (!plan.Found)
        {
            return false;
        }

        MatmulHeuristic algorithm = plan.Algorithm;
        CudaCall.Check(Run(plan, &algorithm, x, w, y, bias));
        return true;
    }

    private CublasResult Run(Plan plan, MatmulHeuristic* algorithm, nint x, nint w, nint y, nint bias)
    {
        if (!plan.Biased)
        {
            return Multiply(plan, algorithm, x, w, y);
        }

        lock (plan) // its description names the bias
        {
            plan.Set(MatmulAttribute.BiasPointer, bias);
            return Multiply(plan, algorithm, x, w, y);
        }
    }

    private CublasResult Multiply(Plan plan, MatmulHeuristic* algorithm, nint x, nint w, nint y)
    {
        float one = 1;
        float beta = plan.Adds ? 1 : 0;
        CudaStream stream = _context.Stream;
        return CublasLt.cublasLtMatmul(
            _handle, plan.Description, &one, w, plan.W, x, plan.X, &beta, y, plan.Y, y, plan.Y, algorithm, stream.Scratch(this, WorkspaceBytes),
            (nuint)WorkspaceBytes, stream.Handle);
    }

    private Plan MakePlan(MatmulShape shape, int alignment, nint x, nint w, nint y, nint bias)
    {
        var plan = new Plan(shape);
        string key = Key(shape, alignment);
        if (KernelCache.Find(key) is { Length: 96 } known)
        {
            plan.Algorithm = MemoryMarshal.Read<MatmulHeuristic>(known);
            if (Fits(plan))
            {
                return plan;
            }
        }

        bool capturing = _context.Stream.CapturePool is not null;
        if (_context.Deterministic)
        {
            plan.Algorithm = Candidates(new Plan(shape with { M = DeterministicRows }), alignment).FirstOrDefault();
            plan.Found = Fits(plan);
            return plan.Found ? plan : First(plan, alignment);
        }

        MatmulHeuristic[] candidates = capturing ? Candidates(plan, alignment) : AllCandidates(plan, shape, alignment);
        plan.Found = candidates.Length > 0;
        if (plan.Found)
        {
            plan.Algorithm = candidates.Length == 1 || capturing ? candidates[0] : Fastest(plan, candidates, shape, x, w, y, bias);
            if (!capturing)
            {
                KernelCache.Keep(key, MemoryMarshal.AsBytes(new ReadOnlySpan<MatmulHeuristic>(in plan.Algorithm)).ToArray());
            }
        }

        return plan;
    }

    private Plan First(Plan plan, int alignment)
    {
        MatmulHeuristic[] candidates = Candidates(plan, alignment);
        plan.Found = candidates.Length > 0;
        plan.Algorithm = candidates.FirstOrDefault();
        return plan;
    }

    // Whether an algorithm chosen for a similar size works for this one.
    private bool Fits(Plan plan) => plan.Found = Works(plan, plan.Algorithm);

    private bool Works(Plan plan, MatmulHeuristic algorithm)
    {
        MatmulHeuristic result = default;
        return CublasLt.cublasLtMatmulAlgoCheck(_handle, plan.Description, plan.W, plan.X, plan.Y, plan.Y, &algorithm, &result) == CublasResult.Success
            && result.State == CublasResult.Success && (long)result.WorkspaceBytes <= WorkspaceBytes;
    }

    private MatmulHeuristic[] Candidates(Plan plan, int alignment)
    {
        nint preference;
        CudaCall.Check(CublasLt.cublasLtMatmulPreferenceCreate(&preference));
        ulong workspace = (ulong)WorkspaceBytes;
        CudaCall.Check(CublasLt.cublasLtMatmulPreferenceSetAttribute(preference, PreferenceAttribute.MaxWorkspaceBytes, &workspace, sizeof(ulong)));
        uint aligned = (uint)alignment;
        for (PreferenceAttribute operand = PreferenceAttribute.MinAlignmentA; operand <= PreferenceAttribute.MinAlignmentD; operand++)
        {
            CudaCall.Check(CublasLt.cublasLtMatmulPreferenceSetAttribute(preference, operand, &aligned, sizeof(uint)));
        }

        MatmulHeuristic* found = stackalloc MatmulHeuristic[MaxCandidates];
        int count = 0;
        CublasResult result = CublasLt.cublasLtMatmulAlgoGetHeuristic(
            _handle, plan.Description, plan.W, plan.X, plan.Y, plan.Y, preference, MaxCandidates, found, &count);
        _ = CublasLt.cublasLtMatmulPreferenceDestroy(preference);
        if (result == CublasResult.NotSupported)
        {
            return [];
        }

        CudaCall.Check(result, "cublasLtMatmulAlgoGetHeuristic(");
        return [.. new ReadOnlySpan<MatmulHeuristic>(found, count).ToArray().Where(one => one.State == CublasResult.Success)];
    }

    // What is proposed for some numbers of few rows differs, and the best for one may be proposed for another only.
    private MatmulHeuristic[] AllCandidates(Plan plan, MatmulShape shape, int alignment)
    {
        IEnumerable<MatmulHeuristic> proposed = Candidates(plan, alignment);
        if (shape.M <= FewRows[^1])
        {
            proposed = proposed.Concat(FewRows.SelectMany(rows => Candidates(new Plan(shape with { M = rows }), alignment)));
        }

        return [.. proposed.DistinctBy(AlgorithmOf).Where(algorithm => Works(plan, algorithm))];
    }

    // The algorithm itself, without what the heuristic thinks of it.
    private static string AlgorithmOf(MatmulHeuristic one) => Convert.ToHexString(new ReadOnlySpan<byte>(one.Algorithm, 8 * sizeof(ulong)));

    private MatmulHeuristic Fastest(Plan plan, MatmulHeuristic[] candidates, MatmulShape shape, nint x, nint w, nint y, nint bias)
    {
        CudaStream stream = _context.Stream;
        long flushed = 2L * _context.Properties.CacheBytes;
        CudaBlock flush = _context.Allocator.Allocate(flushed);
        CudaBlock? scratch = shape.Adds ? _context.Allocator.Allocate(shape.M * shape.YStep * shape.Output.Size()) : null; // y must not be added to many times
        using var start = new CudaEvent(_context, timed: true);
        using var end = new CudaEvent(_context, timed: true);
        int best = 0;
        float least = float.PositiveInfinity;
        for (int i = 0; i < candidates.Length; i++)
        {
            MatmulHeuristic candidate = candidates[i];
            if (Run(plan, &candidate, x, w, scratch?.Address ?? y, bias) != CublasResult.Success)
            {
                continue;
            }

            float time = float.PositiveInfinity;
            for (int round = 0; round < Rounds; round++)
            {
                CudaCall.Check(CudaDriver.cuMemsetD8Async(flush.Address, 0, (nuint)flushed, stream.Handle));
                start.Record(stream);
                CudaCall.Check(Run(plan, &candidate, x, w, scratch?.Address ?? y, bias));
                end.Record(stream);
                end.Synchronize();
                time = Math.Min(time, end.MillisecondsSince(start));
            }

            if (time < least)
            {
                (least, best) = (time, i);
            }
        }

        scratch?.Free();
        flush.Free();
        return candidates[best];
    }

    private string Key(MatmulShape shape, int alignment)
    {
        uint rows = _context.Deterministic ? 0 : Math.Max(16, BitOperations.RoundUpToPowerOf2((uint)shape.M));
        return KernelCache.Key([
            "matmul of many proposals", _context.Properties.Name, $"{CublasLt.cublasLtGetVersion()}",
            $"{rows} {shape.N} {shape.K} {shape.Type} {shape.Output} {shape.Adds} {shape.Biased} {Math.Min(alignment, 16)}"]);
    }

    /// <summary>cuBLASLt's descriptions of a product, kept as long as the process. It counts columns first: yᵀ [N, M] = W [N, K] xᵀ [K, M].</summary>
    private sealed class Plan
    {
        internal MatmulHeuristic Algorithm;

        internal Plan(MatmulShape shape)
        {
            nint description, w, x, y;
            CudaCall.Check(CublasLt.cublasLtMatmulDescCreate(&description, CublasCompute.F32, CudaDataType.F32));
            int transposed = 1;
            CudaCall.Check(CublasLt.cublasLtMatmulDescSetAttribute(description, MatmulAttribute.TransposeA, &transposed, sizeof(int)));
            CudaCall.Check(CublasLt.cublasLtMatrixLayoutCreate(&w, Of(shape.Type), (ulong)shape.K, (ulong)shape.N, shape.K));
            CudaCall.Check(CublasLt.cublasLtMatrixLayoutCreate(&x, Of(shape.Type), (ulong)shape.K, (ulong)shape.M, shape.XStep));
            CudaCall.Check(CublasLt.cublasLtMatrixLayoutCreate(&y, Of(shape.Output), (ulong)shape.N, (ulong)shape.M, shape.YStep));
            (Description, W, X, Y) = (description, w, x, y);
            Adds = shape.Adds;
            Biased = shape.Biased;
            if (Biased)
            {
                const int AddsBias = 4; // CUBLASLT_EPILOGUE_BIAS
                Set(MatmulAttribute.Epilogue, AddsBias);
            }
        }

        internal nint Description { get; }

        internal nint W { get; }

        internal nint X { get; }

        internal nint Y { get; }

        internal bool Adds { get; }

        internal bool Biased { get; }

        internal bool Found { get; set; }

        internal void Set<T>(MatmulAttribute attribute, T value) where T : unmanaged =>
            CudaCall.Check(CublasLt.cublasLtMatmulDescSetAttribute(Description, attribute, &value, (nuint)sizeof(T)));

        private static CudaDataType Of(DType dtype) => dtype switch
        {
            DType.F32 => CudaDataType.F32,
            DType.F16 => CudaDataType.F16,
            _ => CudaDataType.BF16,
        };
    }
}
