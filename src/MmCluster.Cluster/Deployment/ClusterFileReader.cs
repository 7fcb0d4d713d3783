using MmCluster.Engine.Simulation;
using MmCluster.Models;
using MmCluster.Models.Yaml;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Deployment;

/// <summary>Reads a cluster.yaml key by key: what is not asked for is refused.</summary>
internal static class ClusterFileReader
{
    private const string Schema = "1";
    private const int MaxModels = 1024;
    private const int MaxKeys = 4096;
    private const double SecondsOfADay = 86_400;

    private static readonly Dictionary<string, DType> WeightFormats = new()
    {
        ["f32"] = DType.F32,
        ["bf16"] = DType.BF16,
        ["q8_0"] = DType.Q8_0,
        ["q4_0"] = DType.Q4_0,
        ["f16"] = DType.F16,
        ["fp8"] = DType.F8E4M3,
    };

    private static readonly Dictionary<string, DType> KvFormats = new()
    {
        ["f32"] = DType.F32,
        ["f16"] = DType.F16,
        ["bf16"] = DType.BF16,
        ["q8_0"] = DType.Q8_0,
    };

    public static ClusterFile Read(YamlMap root)
    {
        if (root.Text("schema") != Schema)
        {
            throw root.Bad("schema", $"'{root.Text("schema")}' is not known; known: {Schema}");
        }
        YamlMap? models = root.TrySection("models");
        var file = new ClusterFile
        {
            Gateway = root.TrySection("gateway") is { } gateway ? ReadGateway(gateway) : new GatewaySettings(),
            ManagesModels = models is not null,
            Models = models is null ? [] : ReadModels(models),
            Keys = ReadKeys(root),
        };
        root.RefuseOthers();
        return file;
    }

    private static GatewaySettings ReadGateway(YamlMap node)
    {
        var settings = new GatewaySettings
        {
            Host = node.TryText("host"),
            Port = node.TryInt("port", 0, ushort.MaxValue),
            GrpcPort = node.TryInt("grpc_port", 0, ushort.MaxValue),
            MaxQueue = node.TryInt("max_queue", 1, int.MaxValue),
            MaxRunning = node.TryInt("max_running", 1, int.MaxValue),
            MaxRequestBytes = node.TryBytes("max_request_bytes"),
            RequestTimeout = Seconds(node, "request_timeout"),
            ShutdownTimeout = Seconds(node, "shutdown_timeout"),
            AllowedMediaDomains = node.Texts("allowed_media_domains"),
        };
        node.RefuseOthers();
        return settings;
    }

    private static TimeSpan? Seconds(YamlMap node, string key) =>
        node.TryPositive(key, SecondsOfADay) is { } seconds ? TimeSpan.FromSeconds(seconds) : null;

    private static ModelDeployment[] ReadModels(YamlMap node)
    {
        ModelDeployment[] models = [.. node.Sections().Select(entry => ReadModel(entry.Key, entry.Value))];
        return models.Length <= MaxModels ? models : throw node.BadHere($"models: {models.Length} models; {MaxModels} are the most");
    }

    private static ModelDeployment ReadModel(string name, YamlMap node)
    {
        var defaults = new ModelDeployment { Name = name };
        var deployment = new ModelDeployment
        {
            Name = name,
            Source = node.TryText("source"),
            Simulation = node.TrySection("simulation") is { } profile ? ReadProfile(profile) : null,
            Revision = node.TextOr("", "revision"),
            Dtype = ReadDtype(node, "dtype", WeightFormats) ?? defaults.Dtype,
            PipelineParallelSize = node.TryInt("pipeline_parallel_size", 1, 64) ?? defaults.PipelineParallelSize,
            TensorParallelSize = node.TryInt("tensor_parallel_size", 1, 64),
            Fused = node.TryBool("fused"),
            Limits = node.TrySection("limits") is { } limits ? ReadLimits(limits) : defaults.Limits,
            Components = node.TrySection("components") is { } components
                ? components.Sections().ToDictionary(entry => entry.Key, entry => ReadComponent(entry.Value))
                : defaults.Components,
        };
        node.RefuseOthers();
        try
        {
            deployment.Check();
        }
        catch (MmException error)
        {
            throw node.BadHere($"models.{name}: {error.Message}");
        }
        return deployment;
    }

    private static DType? ReadDtype(YamlMap node, string key, Dictionary<string, DType> known) =>
        node.TryText(key) is not { } text ? null
        : known.TryGetValue(text, out DType dtype) ? dtype
        : throw node.Bad(key, $"'{text}' is not known; known: {string.Join(", ", known.Keys)}");

    private static EngineLimits ReadLimits(YamlMap node)
    {
        var defaults = new EngineLimits();
        var limits = new EngineLimits
        {
            MaxNumSeqs = node.TryInt("max_num_seqs", 1, 65_536) ?? defaults.MaxNumSeqs,
            MaxNumBatchedTokens = node.TryInt("max_num_batched_tokens", 1, 1 << 24) ?? defaults.MaxNumBatchedTokens,
            MaxModelLength = node.TryInt("max_model_len", 2, int.MaxValue),
            MaxQueue = node.TryInt("max_queue", 1, int.MaxValue) ?? defaults.MaxQueue,
            KvCacheMemoryBytes = node.TryBytes("kv_cache_memory_bytes"),
            KvCacheDtype = ReadDtype(node, "kv_cache_dtype", KvFormats),
            EnablePrefixCaching = node.BoolOr(defaults.EnablePrefixCaching, "enable_prefix_caching"),
            SharePrefixesAcrossTenants = node.BoolOr(defaults.SharePrefixesAcrossTenants, "share_prefixes_across_tenants"),
            SpeculativeTokens = node.TryInt("speculative_tokens", 0, 64) ?? defaults.SpeculativeTokens,
            GpuMemoryUtilization = node.TryPositive("gpu_memory_utilization", 1),
        };
        node.RefuseOthers();
        return limits;
    }

    private static ComponentDeployment ReadComponent(YamlMap node)
    {
        (int least, int? most) = ReadReplicas(node);
        var component = new ComponentDeployment
        {
            MinReplicas = least,
            MaxReplicas = most,
            Device = node.TextOr("cpu", "device"),
            Role = node.TryText("role"),
            Zone = node.TryText("zone"),
        };
        node.RefuseOthers();
        return component;
    }

    // A number is where it starts and at least is; "2..8" is what it may be scaled within.
    private static (int Least, int? Most) ReadReplicas(YamlMap node)
    {
        if (node.TryText("replicas") is not { } text)
        {
            return (1, null);
        }
        string[] parts = text.Split("..");
        return parts.Length <= 2 && parts.All(part => int.TryParse(part, out int count) && count is >= 1 and <= 1024)
            ? (int.Parse(parts[0], System.Globalization.CultureInfo.InvariantCulture),
                parts.Length == 2 ? int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture) : null)
            : throw node.Bad("replicas", $"a number from 1 to 1024 or a range such as 1..4 was expected, not '{text}'");
    }

    private static SimulationProfile ReadProfile(YamlMap node)
    {
        var defaults = new SimulationProfile();
        var profile = new SimulationProfile
        {
            StepMilliseconds = Cost(node, "step_milliseconds") ?? defaults.StepMilliseconds,
            TokenMicroseconds = Cost(node, "token_microseconds") ?? defaults.TokenMicroseconds,
            ContextNanoseconds = Cost(node, "context_nanoseconds") ?? defaults.ContextNanoseconds,
            EncodeMillisecondsPerMegapixel = Cost(node, "encode_milliseconds_per_megapixel") ?? defaults.EncodeMillisecondsPerMegapixel,
            VocabularySize = Size(node, "vocabulary_size") ?? defaults.VocabularySize,
            MaxModelLength = Size(node, "max_model_length") ?? defaults.MaxModelLength,
            BlockCount = Size(node, "block_count") ?? defaults.BlockCount,
            MaxSlots = Size(node, "max_slots") ?? defaults.MaxSlots,
            MaxBatchedTokens = Size(node, "max_batched_tokens") ?? defaults.MaxBatchedTokens,
            PipelineDepth = Size(node, "pipeline_depth") ?? defaults.PipelineDepth,
        };
        node.RefuseOthers();
        return profile;
    }

    private static double? Cost(YamlMap node, string key) => node.TryText(key) is "0" ? 0 : node.TryPositive(key, 1e9);

    private static int? Size(YamlMap node, string key) => node.TryInt(key, 1, 1 << 26);

    private static KeyGrant[] ReadKeys(YamlMap root)
    {
        KeyGrant[] keys = [.. root.List("keys").Select(ReadKey)];
        return keys.Length > MaxKeys ? throw root.Bad("keys", $"{keys.Length} keys; {MaxKeys} are the most")
            : keys.GroupBy(key => key.Hash, StringComparer.OrdinalIgnoreCase).FirstOrDefault(same => same.Count() > 1) is { } twice
                ? throw root.Bad("keys", $"the hash of tenant '{twice.First().Tenant}' stands in two keys")
            : keys;
    }

    private static KeyGrant ReadKey(YamlMap node)
    {
        var key = new KeyGrant
        {
            Hash = node.Text("hash"),
            Tenant = node.Text("tenant"),
            Models = node.Texts("models") is { Count: > 0 } models ? models : null,
            RequestsPerSecond = node.TryPositive("requests_per_second", 1e9),
            TokensPerMinute = node.TryInt("tokens_per_minute", 1, int.MaxValue),
            Concurrency = node.TryInt("concurrency", 1, int.MaxValue),
            PriorityCeiling = node.TryInt("priority_ceiling", int.MinValue, int.MaxValue),
            Admin = node.BoolOr(false, "admin"),
        };
        node.RefuseOthers();
        if (key.Hash.Length != 64 || !key.Hash.All(char.IsAsciiHexDigit))
        {
            throw node.Bad("hash", "the 64 hexadecimal digits of a SHA-256 were expected: 'mm key hash' prints them");
        }
        if (key.Tenant.Length is 0 or > 64 || !key.Tenant.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-'))
        {
            throw node.Bad("tenant", "1 to 64 of A-Z a-z 0-9 . _ - were expected");
        }
        return key;
    }
}
