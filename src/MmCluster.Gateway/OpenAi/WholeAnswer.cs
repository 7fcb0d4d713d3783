using System.Buffers;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using MmCluster.Engine;
using MmCluster.Gateway.Metrics;

namespace MmCluster.Gateway.OpenAi;

/// <summary>Answers as one JSON object when all choices have ended.</summary>
internal static class WholeAnswer
{
    public static async Task WriteAsync(
        HttpContext http, AnswerWriter writer, IAsyncEnumerable<SequenceOutput> outputs, int choices, RequestMeter meter)
    {
        ChoiceText[] texts = [.. Enumerable.Range(0, choices).Select(index => new ChoiceText(index))];
        var usage = new UsageSum();
        await foreach (SequenceOutput output in outputs.WithCancellation(http.RequestAborted))
        {
            meter.Count(output);
            if (output.Error is { } error)
            {
                throw error;
            }
            texts[output.Choice].Add(output);
            usage.Add(output);
        }
        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(buffer);
        writer.WriteWhole(buffer, json, texts, usage.Total);
        http.Response.ContentType = "application/json";
        await http.Response.Body.WriteAsync(buffer.WrittenMemory, http.RequestAborted);
    }
}
