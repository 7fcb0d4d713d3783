using System.Text;
using Google.Protobuf;
using MmCluster.Protos.V1;

namespace MmCluster.EndToEnd.Tests.Harness;

/// <summary>What came down one stream.</summary>
internal sealed record Streamed(string Text, IReadOnlyList<int> Ids, FinishReason Finish);

/// <summary>Requests of tests, and their answers read to the end.</summary>
internal static class Streams
{
    /// <summary>A long answer, the same every time; every other one asks about a picture.</summary>
    public static GenerateRequest Long(int i, int tokens, ReadOnlyMemory<byte> picture)
    {
        var message = new ChatMessage { Role = "user" };
        if (i % 2 == 0)
        {
            // Other bytes, other features: no two requests share an encoder's work.
            message.Parts.Add(new ContentPart { Media = new MediaSource { Data = Unlike(picture, i) } });
        }
        message.Parts.Add(new ContentPart { Text = $"What is in the picture? And what is {i}?" });
        return new GenerateRequest
        {
            Model = "mini",
            Chat = new Chat { Messages = { message } },
            Sampling = new SamplingParameters { Temperature = i % 3 == 0 ? 0 : 1, Seed = (ulong)i, MaxTokens = tokens, IgnoreEos = true },
            ReturnTokenIds = true,
        };
    }

    /// <summary>The same picture in other bytes: a PNG may be followed by anything.</summary>
    public static ByteString Unlike(ReadOnlyMemory<byte> picture, int i) => ByteString.CopyFrom([.. picture.Span, (byte)i, (byte)(i >> 8)]);

    /// <summary>Reads a stream to its end, which must be a good one, with every token once.</summary>
    public static async Task<Streamed> ReadAsync(ClusterGateway gateway, GenerateRequest request, Action<int>? seen = null, CancellationToken cancellationToken = default)
    {
        var text = new StringBuilder();
        List<int> ids = [];
        FinishReason finish = default;
        await foreach (GenerateEvent piece in gateway.Client.GenerateAsync(request, cancellationToken))
        {
            Assert.Null(piece.Error);
            Assert.Equal(default, finish);
            if (piece.TokenIds.Count > 0)
            {
                Assert.Equal(ids.Count, piece.SequenceNumber);
            }
            ids.AddRange(piece.TokenIds);
            text.Append(piece.Text);
            finish = piece.FinishReason;
            seen?.Invoke(piece.TokenIds.Count);
        }
        Assert.NotEqual(default, finish);
        return new Streamed(text.ToString(), ids, finish);
    }

    /// <summary>Waits until the cluster's status is as it should be, asking anew whenever it was not.</summary>
    public static async Task<ClusterStatus> UntilAsync(this ClusterGateway gateway, Func<ClusterStatus, bool> condition, string otherwise, TimeSpan patience)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        late.CancelAfter(patience);
        ClusterStatus? last = null;
        try
        {
            while (true)
            {
                last = await gateway.Client.StatusAsync(late.Token);
                if (condition(last))
                {
                    return last;
                }
                await Task.Delay(50, late.Token);
            }
        }
        catch (Exception) when (late.IsCancellationRequested)
        {
            throw new InvalidOperationException($"{otherwise} within {patience.TotalSeconds} s; the last status: {last}");
        }
    }

    /// <summary>Bytes of tensors that anybody holds for anybody.</summary>
    public static long LeasedBytes(this ClusterStatus status) => status.Nodes.Sum(node => node.LeasedBytes);

    /// <summary>Whether nothing is computed or waits anywhere.</summary>
    public static bool IsIdle(this ClusterStatus status) => status.Stages.Where(stage => stage.Shard == 0).All(stage => stage.QueueUsed == 0 && stage.Running == 0);
}
