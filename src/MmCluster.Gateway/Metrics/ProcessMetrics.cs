using System.Diagnostics;

namespace MmCluster.Gateway.Metrics;

/// <summary>What this process uses, under the names that Prometheus' and .NET's exporters give.</summary>
internal static class ProcessMetrics
{
    public static void Render(PrometheusText text)
    {
        using var process = Process.GetCurrentProcess();
        double started = new DateTimeOffset(process.StartTime.ToUniversalTime()).ToUnixTimeMilliseconds() / 1e3;
        One("process_resident_memory_bytes", "gauge", "Memory in use.", process.WorkingSet64);
        One("process_cpu_seconds_total", "counter", "Processor time used.", process.TotalProcessorTime.TotalSeconds);
        One("process_start_time_seconds", "gauge", "When it started, in seconds since 1970.", started);
        One("dotnet_gc_heap_total_allocated_bytes_total", "counter", "Bytes allocated on the managed heap.", GC.GetTotalAllocatedBytes());

        void One(string name, string type, string help, double value)
        {
            text.Begin(name, type, help);
            text.Sample(name, "", value);
        }
    }
}
