using Google.Protobuf.Reflection;
using Grpc.Health.V1;
using Inference;
using MmCluster.Protos.V1;

namespace MmCluster.Protos.Tests;

public sealed class ContractTests
{
    private const string Update = "MM_UPDATE_CONTRACTS";

    private static readonly FileDescriptor[] Files =
        [GenerationReflection.Descriptor, MediaReflection.Descriptor, AdminReflection.Descriptor, GrpcServiceReflection.Descriptor, HealthReflection.Descriptor];

    private static string[] Contract => File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "protos.txt"));

    [Fact]
    public void Nothing_that_was_promised_is_gone_or_changed() => Assert.Empty(ContractRules.Broken(Contract, ContractDump.Lines(Files)));

    [Fact]
    public void What_was_added_stands_in_the_contract()
    {
        string[] current = ContractDump.Lines(Files);
        if (Environment.GetEnvironmentVariable(Update) is { Length: > 0 } path)
        {
            File.WriteAllLines(path, current);
            return;
        }
        string[] added = [.. current.Except(Contract)];
        Assert.True(added.Length == 0, $"new in the .proto files: {string.Join("; ", added)}. Run this test with {Update}=tests/contracts/protos.txt and commit the file.");
    }

    [Theory]
    [InlineData("field p.M 1 string name", "field p.M 1 bytes name")]
    [InlineData("field p.M 1 string name", "field p.M 2 string name")]
    [InlineData("field p.M 1 string name", "field p.M 1 repeated-string name")]
    [InlineData("method p.S/Do p.A -> p.B", "method p.S/Do p.A -> stream p.B")]
    [InlineData("value p.E 1 ONE", "value p.E 2 ONE")]
    [InlineData("field p.M 1 string name", "reserved p.M 2")]
    [InlineData("message p.M", "reserved p.M 1")]
    public void A_change_breaks_the_contract(string promised, string current) => Assert.Equal([promised], ContractRules.Broken([promised], [current]));

    [Fact]
    public void An_addition_or_a_reserved_number_does_not()
    {
        Assert.Empty(ContractRules.Broken(["message p.M"], ["message p.M", "field p.M 1 string name"]));
        Assert.Empty(ContractRules.Broken(["field p.M 1 string name"], ["reserved p.M 1"]));
    }

    [Fact]
    public void The_dump_tells_types_maps_oneofs_and_streams_apart()
    {
        string[] lines = ContractDump.Lines(Files);
        Assert.Contains("field mmcluster.v1.SamplingParameters 8 map<int32,float> logit_bias", lines);
        Assert.Contains("field mmcluster.v1.SamplingParameters 1 optional-float temperature", lines);
        Assert.Contains("field mmcluster.v1.GenerateRequest 5 oneof(input)-string text", lines);
        Assert.Contains("method mmcluster.v1.Generation/Upload stream mmcluster.v1.UploadChunk -> mmcluster.v1.UploadResponse", lines);
        Assert.Contains("value mmcluster.v1.FinishReason 4 FINISH_REASON_ERROR", lines);
    }
}
