namespace MmCluster.Cli.Tests.Commands;

/// <summary>What the commands of a cluster refuse, and keys. What they do is told by the end-to-end tests.</summary>
public sealed class ClusterCommandTests
{
    [Fact]
    public async Task A_new_key_is_printed_with_the_hash_that_stands_for_it()
    {
        CommandRun created = await CommandRun.OfAsync("key", "new", "--json");
        string key = created.Json.GetProperty("key").GetString()!;
        Assert.Matches("^mm-[0-9a-f]{64}$", key);
        CommandRun hashed = await CommandRun.WithAsync(key + "\n", [], "key", "hash", "--json");
        Assert.Equal(created.Json.GetProperty("hash").GetString(), hashed.Json.GetProperty("hash").GetString());
    }

    [Fact]
    public async Task A_key_is_read_from_standard_input_and_hashed_as_sha256sum_does()
    {
        CommandRun run = await CommandRun.WithAsync("secret\n", [], "key", "hash");
        Assert.Equal("2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b", run.Out.Trim());
        Assert.Equal(2, (await CommandRun.WithAsync("", [], "key", "hash")).Exit);
    }

    [Fact]
    public async Task A_file_with_a_fault_starts_nothing_and_is_named_with_its_line()
    {
        using var folder = new TemporaryFolder();
        folder.Write("c.yaml", "schema: 1\nmodels:\n  a:\n    source: x\n    dtype: int8\n"u8.ToArray());
        string file = Path.Combine(folder.Path, "c.yaml");
        foreach (string[] command in (string[][])[["serve", "--config", file], ["gateway", "--config", file], ["deploy", file]])
        {
            CommandRun run = await CommandRun.OfAsync(command);
            Assert.Equal(2, run.Exit);
            Assert.Contains($"{file}(5): dtype: 'int8' is not known; known: f32, bf16, q8_0, q4_0", run.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Overrides_are_checked_like_the_file()
    {
        using var folder = new TemporaryFolder();
        folder.Write("c.yaml", "schema: 1\n"u8.ToArray());
        string file = Path.Combine(folder.Path, "c.yaml");
        CommandRun run = await CommandRun.OfAsync("serve", "--config", file, "--set", "gateway.port=x");
        Assert.Equal(2, run.Exit);
        Assert.Contains("--set gateway.port: port: a whole number from 0 to 65535 was expected, not 'x'", run.Error, StringComparison.Ordinal);
        Assert.Contains("KEY=VALUE", (await CommandRun.OfAsync("serve", "--config", file, "--set", "gateway")).Error, StringComparison.Ordinal);
        Assert.Contains("leave out 'mini'", (await CommandRun.OfAsync("serve", "mini", "--config", file)).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Variables_override_the_file_and_are_named_in_errors()
    {
        using var folder = new TemporaryFolder();
        folder.Write("c.yaml", "schema: 1\n"u8.ToArray());
        CommandRun run = await CommandRun.WithAsync("", new() { ["MM_CONFIG__GATEWAY__PORT"] = "x" }, "serve", "--config", Path.Combine(folder.Path, "c.yaml"));
        Assert.Equal(2, run.Exit);
        Assert.Contains("MM_CONFIG__GATEWAY__PORT", run.Error, StringComparison.Ordinal);
    }

    // Only a build on the packages has such providers, and its host then wants a database.
    [Theory]
    [InlineData("silo")]
    [InlineData("gateway")]
    public async Task A_clustering_that_the_stand_in_lacks_is_refused_with_the_build_that_has_it(string command)
    {
        Assert.SkipWhen(
            typeof(Cluster.IModelCluster).Assembly.GetReferencedAssemblies().Any(known => known.Name!.StartsWith("Orleans.", StringComparison.Ordinal)),
            "built on the packages, which have it and want a server");
        Dictionary<string, string> redis = new()
        {
            ["Orleans__Clustering__ProviderType"] = "Redis",
            ["Orleans__Clustering__ConnectionString"] = "127.0.0.1:1",
            ["Orleans__GrainStorage__Default__ProviderType"] = "Memory",
        };
        CommandRun run = await CommandRun.WithAsync("", redis, command);
        Assert.Equal(2, run.Exit);
        Assert.Contains("name the cluster's secret", run.Error, StringComparison.Ordinal);
        redis["MM_CLUSTER_SECRET"] = "secret";
        run = await CommandRun.WithAsync("", redis, command);
        Assert.Equal(2, run.Exit);
        Assert.Contains("'Redis', which this build does not have: build with -p:UsePackages=true", Assert.Single(run.Error.TrimEnd().Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_missing_or_no_number_is_named()
    {
        Assert.Equal("mm: Missing: COMPONENT, N. See 'mm scale --help'.", (await CommandRun.OfAsync("scale", "mini")).Error.TrimEnd());
        Assert.Contains("N wants a whole number above 0, not 'x'.", (await CommandRun.OfAsync("scale", "mini", "backbone", "x")).Error, StringComparison.Ordinal);
        Assert.Contains("N wants a whole number above 0, not '0'.", (await CommandRun.OfAsync("scale", "mini", "backbone", "0")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_gateway_there_is_nothing_to_ask()
    {
        CommandRun run = await CommandRun.OfAsync("status", "--url", "http://127.0.0.1:1");
        Assert.Equal((1, "mm: http://127.0.0.1:1/: the connection failed: Connection refused"), (run.Exit, run.Error.TrimEnd()));
        Assert.Equal(2, (await CommandRun.OfAsync("status", "--url", "nowhere")).Exit);
    }
}
