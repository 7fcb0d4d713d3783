using System.Text.Json;
using MmCluster.Cli.Clustering;
using MmCluster.Protos.V1;

namespace MmCluster.Cli.Tests.Clustering;

public sealed class StatusTextTests
{
    private static readonly ClusterStatus Status = new()
    {
        Nodes =
        {
            new Node { Name = "plain", Address = "a", Devices = { new Device { Name = "cpu", MemoryBytes = 1L << 30 } } },
            new Node
            {
                Name = "fast",
                Address = "b",
                Devices =
                {
                    new Device { Name = "cpu", MemoryBytes = 1L << 30 },
                    new Device
                    {
                        Name = "cuda:0", Model = "NVIDIA H100", ComputeCapability = "9.0", Uuid = "GPU-1", MemoryBytes = 79L << 30, ReservedBytes = 20L << 30,
                        UsedBytes = 21L << 30, TotalBytes = 80L << 30,
                    },
                    new Device { Name = "cuda:1", Model = "NVIDIA T4", ComputeCapability = "7.5", TotalBytes = 15L << 30 },
                    new Device { Name = "cuda:2", Model = "NVIDIA H100", ComputeCapability = "9.0", TotalBytes = 80L << 30, Lost = true },
                },
            },
        },
    };

    [Fact]
    public void Gpus_have_a_table_of_their_own()
    {
        string[] lines = StatusText.Of(Status).Split(Environment.NewLine);
        string head = Assert.Single(lines, line => line.Contains("COMPUTE", StringComparison.Ordinal));
        string[] gpus = [.. lines.SkipWhile(line => line != head).Skip(1).TakeWhile(line => line.Length > 0)];
        Assert.Equal(
            [
                "fast cuda:0 NVIDIA H100 9.0 up 20.0GiB 79.0GiB 21.0GiB 80.0GiB", "fast cuda:1 NVIDIA T4 7.5 unusable 0MiB 0MiB 0MiB 15.0GiB",
                "fast cuda:2 NVIDIA H100 9.0 lost 0MiB 0MiB 0MiB 80.0GiB",
            ],
            gpus.Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries))));
    }

    [Fact]
    public void Json_holds_what_a_gpu_is()
    {
        JsonElement device = JsonDocument.Parse(StatusText.Json(Status)).RootElement.GetProperty("nodes")[1].GetProperty("devices")[1];
        Assert.Equal("GPU-1", device.GetProperty("uuid").GetString());
        Assert.Equal(21L << 30, device.GetProperty("used_bytes").GetInt64());
        Assert.Equal(80L << 30, device.GetProperty("total_bytes").GetInt64());
    }
}
