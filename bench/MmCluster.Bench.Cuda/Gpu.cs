using MmCluster.Tensors;
using MmCluster.Tensors.Cuda;

namespace MmCluster.Bench.Cuda;

/// <summary>The GPU under test, its limits as measured here, and times by its own events.</summary>
internal sealed class Gpu
{
    private const int Replays = 5;

    internal Gpu()
    {
        Device = Device.Cuda(0);
        Context = CudaContext.Get(0);
        Values = RandomValues();
    }

    internal Device Device { get; }

    internal CudaContext Context { get; }

    /// <summary>BF16 [16384, 4096] of normal values, from which everything here is cut.</summary>
    private Tensor Values { get; }

    /// <summary>Bytes a second that reading leaves the memory with; the floor of what decodes.</summary>
    internal double ReadRate { get; private set; }

    /// <summary>Bytes a second read and written by the driver's copy.</summary>
    internal double CopyRate { get; private set; }

    /// <summary>Operations a second of a large product.</summary>
    internal double ProductRate { get; private set; }

    /// <summary>Measures the limits, after a second's work that brings clocks and power to where they stay.</summary>
    internal void MeasureLimits()
    {
        using var scope = new TensorScope();
        const int N = 8192;
        Tensor x = Random([N, N]);
        using LinearWeight w = Weight(N, N);
        Tensor y = Empty([N, N]);
        ProductRate = 2.0 * N * N * N / (Microseconds(40, _ => Ops.Linear(x, w, output: y)) * 1e-6);
        Tensor a = Empty([1 << 29]);
        Tensor b = Empty([1 << 29]);
        CopyRate = 2.0 * a.Bytes / (Microseconds(10, _ => b.CopyFrom(a)) * 1e-6);
        using LinearWeight tall = Weight(1 << 18, 4096); // a product with one row is a read
        Tensor one = Random([1, 4096]);
        Tensor result = Empty([1, 1 << 18]);
        ReadRate = (double)tall.Bytes / (Microseconds(10, _ => Ops.Linear(one, tall, output: result)) * 1e-6);
    }

    /// <summary>The median time of one call among <paramref name="count"/> in a captured graph. The first, uncaptured pass loads and tunes.</summary>
    internal double Microseconds(int count, Action<int> call)
    {
        void All()
        {
            for (int i = 0; i < count; i++)
            {
                using var scope = new TensorScope();
                call(i);
            }
        }

        CudaStream stream = Context.DefaultStream;
        All();
        stream.Synchronize();
        using var pool = new CudaMemoryPool(Context.Allocator);
        using CudaGraph graph = stream.Capture(pool, All);
        graph.Launch(stream);
        using var start = new CudaEvent(Context, timed: true);
        using var end = new CudaEvent(Context, timed: true);
        double[] times = new double[Replays];
        for (int i = 0; i < Replays; i++)
        {
            start.Record(stream);
            graph.Launch(stream);
            end.Record(stream);
            end.Synchronize();
            times[i] = end.MillisecondsSince(start) * 1000.0 / count;
        }

        Array.Sort(times);
        return times[Replays / 2];
    }

    internal Tensor Empty(Shape shape) => Tensor.Empty(shape, DType.BF16, Device);

    /// <summary>BF16 normal values.</summary>
    internal Tensor Random(Shape shape)
    {
        Tensor x = Empty(shape);
        Tensor flat = x.Reshape((int)x.ElementCount);
        Tensor values = Values.Reshape((int)Values.ElementCount);
        for (long at = 0; at < flat.ElementCount; at += values.ElementCount)
        {
            int count = (int)Math.Min(values.ElementCount, flat.ElementCount - at);
            flat.Slice(0, (int)at, (int)at + count).CopyFrom(values.Slice(0, 0, count));
        }

        return x;
    }

    /// <summary>A BF16 matrix [outputs, inputs] of normal values.</summary>
    internal LinearWeight Weight(int outputs, int inputs)
    {
        using var scope = new TensorScope();
        return LinearWeight.Pack(Random([outputs, inputs]), DType.BF16, Device);
    }

    internal Tensor Ones(int count) => Tensor.Full([count], 1, DType.F32, Device);

    internal Tensor Ints(int[] values, Shape shape) => Tensor.From(values, shape).To(Device);

    private Tensor RandomValues()
    {
        const int Rows = 16384;
        const int Columns = 4096;
        float[] values = new float[Rows * Columns];
        Parallel.For(0, Rows, row =>
        {
            var random = new Random(row);
            for (int i = 0; i < Columns; i++)
            {
                values[(row * Columns) + i] = (float)(0.02 * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
            }
        });
        using Tensor wide = Tensor.From(values, [Rows, Columns]);
        using Tensor near = wide.To(DType.BF16);
        return near.To(Device);
    }
}
