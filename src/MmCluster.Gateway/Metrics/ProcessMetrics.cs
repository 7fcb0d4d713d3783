using System.Diagnostics;
using System.Globalization;

namespace MmCluster.Gateway.Metrics;

/// <summary>What this process uses, under the names that Prometheus' and .NET's exporters give.</summary>
internal static class ProcessMetrics
{
    public static string Render()
    {
        using var process = Process.GetCurrentProcess();
        double started = new DateTimeOffset(process.StartTime.ToUniversalTime()).ToUnixTimeMilliseconds() / 1e3;
        return string.Create(CultureInfo.InvariantCulture, $"""
            # HELP process_resident_memory_bytes Memory in use.
            # TYPE process_resident_memory_bytes gauge
            process_resident_memory_bytes {process.WorkingSet64}
            # HELP process_cpu_seconds_total Processor time used.
            # TYPE process_cpu_seconds_total counter
            process_cpu_seconds_total {process.TotalProcessorTime.TotalSeconds}
            # HELP process_start_time_seconds When it started, in seconds since 1970.
            # TYPE process_start_time_seconds gauge
            process_start_time_seconds {started}
            # HELP dotnet_gc_heap_total_allocated_bytes_total Bytes allocated on the managed heap.
            # TYPE dotnet_gc_heap_total_allocated_bytes_total counter
            dotnet_gc_heap_total_allocated_bytes_total {GC.GetTotalAllocatedBytes()}

            """);
    }
}
