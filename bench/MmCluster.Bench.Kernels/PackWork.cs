using System.Diagnostics;
using MmCluster.Tensors;

namespace MmCluster.Bench.Kernels;

/// <summary>How fast weights are packed, in GB/s of the source.</summary>
internal static class PackWork
{
    internal static void Run(int rounds)
    {
        using var scope = new TensorScope();
        Tensor wide = RandomWeight.Rows(8192, 2048);
        foreach (DType source in new[] { DType.BF16, DType.F16, DType.F32 })
        {
            Tensor x = wide.To(source);
            foreach (DType target in new[] { DType.BF16, DType.F32, DType.Q8_0, DType.Q4_0 })
            {
                var samples = new List<double>();
                for (int r = 0; r < rounds; r++)
                {
                    TimeSpan start = Device.Cpu.Threads == 1 ? Environment.CpuUsage.TotalTime : Stopwatch.GetElapsedTime(0);
                    LinearWeight.Pack(x, target).Dispose();
                    TimeSpan end = Device.Cpu.Threads == 1 ? Environment.CpuUsage.TotalTime : Stopwatch.GetElapsedTime(0);
                    samples.Add((end - start).TotalSeconds);
                }

                samples.Sort();
                double bytes = source.Bytes(x.ElementCount) / 1e9;
                Console.WriteLine($"{source,-5} to {target,-5} best {bytes / samples[0]:f2} median {bytes / samples[samples.Count / 2]:f2} GB/s of source");
            }
        }
    }
}
