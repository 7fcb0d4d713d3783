using Google.Protobuf;
using Grpc.Core;

namespace MmCluster.Bench.Grpc;

/// <summary>Answers as fast as it can.</summary>
internal sealed class BenchService : Bench.BenchBase
{
    public override Task<Item> Unary(Item request, ServerCallContext context) => Task.FromResult(request);

    public override async Task Down(Wanted request, IServerStreamWriter<Item> responseStream, ServerCallContext context)
    {
        ByteString data = ByteString.CopyFrom(new byte[request.Size]);
        for (int i = 0; i < request.Count; i++)
        {
            await responseStream.WriteAsync(new Item { Number = i, Data = data });
        }
    }

    public override async Task Both(IAsyncStreamReader<Item> requestStream, IServerStreamWriter<Item> responseStream, ServerCallContext context)
    {
        while (await requestStream.MoveNext(CancellationToken.None))
        {
            await responseStream.WriteAsync(requestStream.Current);
        }
    }
}
