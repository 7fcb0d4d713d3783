using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using MmCluster.Models;

namespace MmCluster.Cli.Benchmarks.Serving;

/// <summary>Speaks to an OpenAI-compatible endpoint and notes when each event arrives.</summary>
internal sealed class StreamingClient(HttpClient http, ServingOptions options, TimeProvider time)
{
    /// <summary>The first served model's id and, where the server tells it, its vocabulary size.</summary>
    public async Task<(string Model, int? VocabularySize)> FindModelAsync(CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = Request(HttpMethod.Get, "/v1/models");
        using HttpResponseMessage response = await http.SendAsync(request, cancellationToken);
        string text = await response.Content.ReadAsStringAsync(cancellationToken);
        if (!response.IsSuccessStatusCode)
        {
            throw new MmException(MmErrorCode.Unavailable, $"{request.RequestUri} answered {(int)response.StatusCode}: {text}");
        }
        using var document = JsonDocument.Parse(text);
        JsonElement[] models = [.. document.RootElement.GetProperty("data").EnumerateArray()];
        JsonElement chosen = models.FirstOrDefault(model => options.Model is null || model.GetProperty("id").GetString() == options.Model);
        if (chosen.ValueKind == JsonValueKind.Undefined)
        {
            string known = string.Join(", ", models.Select(model => model.GetProperty("id").GetString()));
            throw new MmException(MmErrorCode.NotFound, $"{options.BaseUrl} does not serve '{options.Model}'; it serves: {known}");
        }
        int? vocabulary = chosen.TryGetProperty("vocab_size", out JsonElement size) ? size.GetInt32() : null;
        return (chosen.GetProperty("id").GetString()!, vocabulary);
    }

    /// <summary>Sends one request and reads its stream to the end; failures are in the result.</summary>
    public async Task<RequestTiming> SendAsync(string route, byte[] body, CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = Request(HttpMethod.Post, route);
        request.Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        long start = time.GetTimestamp();
        try
        {
            using HttpResponseMessage response =
                await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            if (!response.IsSuccessStatusCode)
            {
                string text = await response.Content.ReadAsStringAsync(cancellationToken);
                return new RequestTiming { Error = $"{(int)response.StatusCode}: {text}" };
            }
            await using Stream stream = await response.Content.ReadAsStreamAsync(cancellationToken);
            return await ReadAsync(stream, start, cancellationToken);
        }
        catch (Exception error) when (error is HttpRequestException or IOException or JsonException)
        {
            return new RequestTiming { Error = error.Message };
        }
    }

    private async Task<RequestTiming> ReadAsync(Stream stream, long start, CancellationToken cancellationToken)
    {
        using var reader = new StreamReader(stream, Encoding.UTF8);
        var gaps = new List<double>();
        double first = 0, last = 0;
        int prompt = 0, output = 0, events = 0;
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (!line.StartsWith("data: ", StringComparison.Ordinal) || line == "data: [DONE]")
            {
                continue;
            }
            double now = time.GetElapsedTime(start).TotalMilliseconds;
            using var document = JsonDocument.Parse(line.AsMemory("data: ".Length));
            JsonElement root = document.RootElement;
            if (root.TryGetProperty("error", out JsonElement error))
            {
                return new RequestTiming { Error = error.ToString() };
            }
            if (root.TryGetProperty("usage", out JsonElement usage) && usage.ValueKind == JsonValueKind.Object)
            {
                prompt = usage.GetProperty("prompt_tokens").GetInt32();
                output = usage.GetProperty("completion_tokens").GetInt32();
            }
            if (!CarriesToken(root))
            {
                continue;
            }
            if (events++ == 0)
            {
                first = now;
            }
            else
            {
                gaps.Add(now - last);
            }
            last = now;
        }
        return events == 0
            ? new RequestTiming { Error = "the stream ended without a token" }
            : new RequestTiming
            {
                PromptTokens = prompt,
                OutputTokens = output,
                TimeToFirstToken = first,
                EndToEnd = last,
                InterTokenLatencies = gaps,
            };
    }

    // A chat's first event names the role only, and the last one's choices are empty.
    private static bool CarriesToken(JsonElement root)
    {
        if (!root.TryGetProperty("choices", out JsonElement choices) || choices.GetArrayLength() == 0)
        {
            return false;
        }
        JsonElement choice = choices[0];
        return choice.TryGetProperty("text", out _)
            || (choice.TryGetProperty("delta", out JsonElement delta) && delta.TryGetProperty("content", out JsonElement content)
                && content.ValueKind == JsonValueKind.String
                && !(delta.TryGetProperty("role", out _) && content.GetString() is ""));
    }

    private HttpRequestMessage Request(HttpMethod method, string route)
    {
        var request = new HttpRequestMessage(method, new Uri(options.BaseUrl, route));
        if (options.ApiKey is { } key)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }
        return request;
    }
}
