using MmCluster.Cluster.Deployment;
using MmCluster.Models.Yaml;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Tests.Deployment;

public sealed class ClusterFileTests
{
    private const string Model = "schema: 1\nmodels:\n  mini:\n    source: mini\n";

    private static string Fault(string yaml, params YamlOverride[] overrides) =>
        Assert.Throws<InvalidDataException>(() => ClusterFile.Parse(yaml, "c.yaml", overrides)).Message;

    [Fact]
    public void The_documented_example_is_read_whole()
    {
        string page = File.ReadAllText(Path.Combine(Root(), "docs", "design", "008-cluster-yaml.md"));
        string yaml = page.Split("```yaml\n")[1].Split("```")[0];
        ClusterFile file = ClusterFile.Parse(yaml, "example");
        Assert.Equal(["mini", "simulated"], file.Models.Select(model => model.Name));
        ModelDeployment mini = file.Models[0];
        Assert.Equal(("mini", "2026-11", DType.BF16, 2, false), (mini.Source, mini.Revision, mini.Dtype, mini.PipelineParallelSize, mini.Fused));
        Assert.Equal((1, DType.BF16), (mini.TensorParallelSize, mini.Limits.KvCacheDtype));
        Assert.Equal((64, 64, 256L << 20), (mini.Limits.MaxNumSeqs, mini.Limits.MaxQueue, mini.Limits.KvCacheMemoryBytes));
        Assert.Equal((2, 4, "encoder"), (mini.Component("vision_tower").MinReplicas, mini.Component("vision_tower").MaxReplicas, mini.Component("vision_tower").Role));
        Assert.Equal(("a", 1, null), (mini.Component("backbone").Zone, mini.Component("backbone").MinReplicas, mini.Component("backbone").MaxReplicas));
        Assert.Equal(5, file.Models[1].Simulation!.StepMilliseconds);
        Assert.Equal((8000, 64L << 20, TimeSpan.FromMinutes(10)), (file.Gateway.Port, file.Gateway.MaxRequestBytes, file.Gateway.RequestTimeout));
        Assert.Equal([("operations", true), ("acme", false)], file.Keys.Select(key => (key.Tenant, key.Admin)));
        Assert.Equal(["mini"], file.Keys[1].Models);
        Assert.Equal((20.0, 60_000, 8, 0), (file.Keys[1].RequestsPerSecond, file.Keys[1].TokensPerMinute, file.Keys[1].Concurrency, file.Keys[1].PriorityCeiling));
    }

    [Theory]
    [InlineData("models: {}\n", "schema is missing")]
    [InlineData("schema: 2\n", "c.yaml(1): schema: '2' is not known; known: 1")]
    [InlineData(Model + "modells: {}\n", "c.yaml(5): unknown key 'modells'; known here: gateway, keys, models, schema")]
    [InlineData(Model + "    dtype: int8\n", "c.yaml(5): dtype: 'int8' is not known; known: f32, bf16, q8_0, q4_0")]
    [InlineData(Model + "    pipeline_parallel_size: 0\n", "c.yaml(5): pipeline_parallel_size: a whole number from 1 to 64 was expected, not '0'")]
    [InlineData(Model + "    tensor_parallel_size: 2\n    pipeline_parallel_size: 2\n", "tensor_parallel_size: 2 beside a pipeline_parallel_size of 2: one of them must be 1")]
    [InlineData(Model + "    dtype: fp8\n", "F8E4M3 is no format of weights here: F32, BF16, Q8_0 or Q4_0, and of a backbone on a GPU F16 or F8E4M3")]
    [InlineData(Model + "    limits:\n      kv_cache_dtype: fp8\n", "c.yaml(6): kv_cache_dtype: 'fp8' is not known; known: f32, f16, bf16, q8_0")]
    [InlineData(Model + "    components:\n      a:\n        replicas: 3..2\n", "components.a.replicas")]
    [InlineData(Model + "    components:\n      a:\n        replicas: many\n", "c.yaml(7): replicas: a number from 1 to 1024 or a range such as 1..4 was expected, not 'many'")]
    [InlineData(Model + "    components:\n      a:\n        device: tpu\n", "cpu, cuda or cuda:N")]
    [InlineData(Model + "    simulation: {}\n", "either a source or a simulation profile")]
    [InlineData(Model + "    limits:\n      kv_cache_memory_bytes: 12 parsecs\n", "c.yaml(6): kv_cache_memory_bytes: bytes above 0 were expected")]
    [InlineData(Model + "gateway:\n  port: 70000\n", "c.yaml(6): port: a whole number from 0 to 65535 was expected, not '70000'")]
    [InlineData(Model + "keys:\n  - hash: abc\n    tenant: a\n", "c.yaml(6): hash: the 64 hexadecimal digits")]
    [InlineData(Model + "keys:\n  hash: abc\n", "keys: a list (- key: value) was expected")]
    [InlineData("schema: 1\nmodels: [\n", "not YAML")]
    [InlineData("schema: 1\nschema: 1\n", "not YAML")]
    public void What_is_unknown_or_illegal_is_refused_by_file_line_and_key(string yaml, string fault) =>
        Assert.Contains(fault, Fault(yaml), StringComparison.Ordinal);

    [Fact]
    public void Overrides_replace_and_add_values_and_the_last_one_counts()
    {
        ClusterFile file = ClusterFile.Parse(
            "schema: 1\nmodels:\n  llama-3.1:\n    source: a\n",
            "c.yaml",
            new YamlOverride("gateway.port", "9000", "MM_CONFIG__GATEWAY__PORT"),
            new YamlOverride("MODELS.LLAMA-3.1.dtype", "q8_0", "--set"),
            new YamlOverride("models.llama-3.1.components.backbone.replicas", "3", "--set"),
            new YamlOverride("gateway.port", "9001", "--port"),
            new YamlOverride("gateway.allowed_media_domains", "[a.example, b.example]", "--set"));
        Assert.Equal((9001, DType.Q8_0, 3), (file.Gateway.Port, file.Models[0].Dtype, file.Models[0].Component("backbone").MinReplicas));
        Assert.Equal(["a.example", "b.example"], file.Gateway.AllowedMediaDomains);
    }

    [Fact]
    public void A_wrong_override_is_named_by_where_it_came_from()
    {
        Assert.Contains("MM_CONFIG__GATEWAY__PORT: port: a whole number", Fault(Model, new YamlOverride("gateway.port", "x", "MM_CONFIG__GATEWAY__PORT")), StringComparison.Ordinal);
        Assert.Contains("--set: unknown key 'prot'", Fault(Model, new YamlOverride("gateway.prot", "1", "--set")), StringComparison.Ordinal);
        Assert.Contains("leads below a value", Fault(Model, new YamlOverride("schema.x", "1", "--set")), StringComparison.Ordinal);
    }

    [Fact]
    public void What_needs_a_restart_is_named_by_key()
    {
        ClusterFile before = ClusterFile.Parse(Model, "a");
        ClusterFile after = ClusterFile.Parse(Model + "gateway:\n  port: 1\n  allowed_media_domains: [a]\n", "b");
        Assert.Equal(["gateway.port", "gateway.allowed_media_domains"], after.NeedRestart(before));
        Assert.Empty(before.NeedRestart(before));
    }

    private static string Root()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "MmCluster.sln")))
        {
            folder = folder.Parent;
        }
        return folder.FullName;
    }
}
