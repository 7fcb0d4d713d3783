using System.IO.Pipelines;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using MmCluster.Engine;
using MmCluster.Gateway.Metrics;
using MmCluster.Models;

namespace MmCluster.Gateway.OpenAi;

/// <summary>Answers as server-sent events, one a token, flushed at once.</summary>
internal static class EventStream
{
    private static ReadOnlySpan<byte> Data => "data: "u8;

    private static ReadOnlySpan<byte> EndOfEvent => "\n\n"u8;

    private static ReadOnlySpan<byte> Done => "data: [DONE]\n\n"u8;

    /// <summary>Writes all of <paramref name="outputs"/>; a failure before the first is thrown, a later one becomes the last event.</summary>
    public static async Task WriteAsync(
        HttpContext http, AnswerWriter writer, IAsyncEnumerable<SequenceOutput> outputs, bool includeUsage, RequestMeter meter)
    {
        PipeWriter body = http.Response.BodyWriter;
        using var json = new Utf8JsonWriter(body);
        var usage = new UsageSum();
        var begun = new HashSet<int>();
        try
        {
            await foreach (SequenceOutput output in outputs.WithCancellation(http.RequestAborted))
            {
                meter.Count(output);
                if (output.Error is { } error)
                {
                    throw error;
                }
                if (!http.Response.HasStarted)
                {
                    Begin(http);
                }
                for (int i = 0; i < Math.Max(output.TokenIds.Length, 1); i++)
                {
                    body.Write(Data);
                    writer.WriteChunk(body, json, OfToken(output, i), begun.Add(output.Choice), nullUsage: includeUsage);
                    body.Write(EndOfEvent);
                }
                await body.FlushAsync(http.RequestAborted);
                usage.Add(output);
            }
            if (includeUsage)
            {
                body.Write(Data);
                writer.WriteUsageChunk(body, json, usage.Total);
                body.Write(EndOfEvent);
            }
            body.Write(Done);
            await body.FlushAsync(http.RequestAborted);
        }
        catch (Exception failure) when (http.Response.HasStarted && !http.RequestAborted.IsCancellationRequested)
        {
            body.Write(Data);
            body.Write(ErrorBody.Bytes(MmException.From(failure)));
            body.Write(EndOfEvent);
            await body.FlushAsync(http.RequestAborted);
        }
    }

    // An accepted draft brings several tokens at once; clients count events. The text of all comes with the last.
    private static SequenceOutput OfToken(in SequenceOutput output, int index)
    {
        if (output.TokenIds.Length <= 1)
        {
            return output;
        }
        bool last = index == output.TokenIds.Length - 1;
        return output with
        {
            TokenIds = output.TokenIds.Slice(index, 1),
            Text = last ? output.Text : "",
            Finish = last ? output.Finish : null,
            Logprobs = output.Logprobs is { } logprobs ? [logprobs[index]] : null,
        };
    }

    private static void Begin(HttpContext http)
    {
        http.Response.ContentType = "text/event-stream; charset=utf-8";
        http.Response.Headers.CacheControl = "no-cache";
        // Proxies of the nginx kind would otherwise hold tokens back.
        http.Response.Headers["X-Accel-Buffering"] = "no";
    }

    private static void Write(this PipeWriter body, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(body.GetSpan(bytes.Length));
        body.Advance(bytes.Length);
    }
}
