using MmCluster.Client;
using MmCluster.EndToEnd.Tests.Harness;
using MmCluster.Protos.V1;

namespace MmCluster.EndToEnd.Tests;

/// <summary>More than fits: nobody hangs, nothing stays behind.</summary>
public sealed class OverloadTests(SixProcesses six)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_hundred_requests_with_pictures_get_an_answer_or_are_refused()
    {
        ClusterGateway gateway = await six.GatewayAsync();
        byte[] picture = await File.ReadAllBytesAsync(SixProcesses.Picture, Stop);
        int served = 0;
        int refused = 0;
        await Task.WhenAll(Enumerable.Range(0, 200).Select(async i =>
        {
            try
            {
                Streamed answer = await Streams.ReadAsync(gateway, Picture(1000 + i, tokens: 4, picture), cancellationToken: Stop);
                Assert.Equal(4, answer.Ids.Count);
                Interlocked.Increment(ref served);
            }
            catch (MmClientException error) when (error.Code is "Unavailable" or "ResourceExhausted")
            {
                Interlocked.Increment(ref refused);
            }
        }));
        Assert.Equal(200, served + refused);
        TestContext.Current.TestOutputHelper?.WriteLine($"{served} served, {refused} refused");
        // Two encoders and one backbone with queues of 64: what fits into the least of them is served at least, and not all fit.
        Assert.InRange(served, 64, 199);
        await gateway.UntilAsync(status => status.LeasedBytes() == 0 && status.IsIdle(), "something is still held", Patience);
    }

    private static GenerateRequest Picture(int i, int tokens, byte[] picture) => Streams.Long(i * 2, tokens, picture);
}
