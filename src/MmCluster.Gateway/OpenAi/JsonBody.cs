using System.Buffers;
using System.Diagnostics;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using MmCluster.Gateway.Admission;
using MmCluster.Models;

namespace MmCluster.Gateway.OpenAi;

/// <summary>
/// A request's JSON object. Kestrel bounds its bytes; here depth and the number of values are bounded too, as each value of a parsed document
/// takes a dozen bytes beside its text (a body of <c>0,0,0,…</c> would grow sixfold). Not thread-safe.
/// </summary>
internal sealed class JsonBody : IDisposable
{
    public const int MaxDepth = 64;
    public const int MaxValues = 4 << 20;

    private const int FirstBytes = 16 << 10;

    private readonly BodyMemory _memory;
    private readonly byte[] _bytes;
    private readonly JsonDocument _document;

    private JsonBody(BodyMemory memory, byte[] bytes, JsonDocument document) => (_memory, _bytes, _document) = (memory, bytes, document);

    /// <summary>The object; valid until this is disposed.</summary>
    public JsonElement Root => _document.RootElement;

    /// <summary>Reads the body of a request.</summary>
    /// <exception cref="MmException">InvalidArgument, where it is not a JSON object within the bounds; Unavailable, when all bodies together are too large.</exception>
    public static async Task<JsonBody> ReadAsync(HttpContext http, BodyMemory memory)
    {
        byte[] bytes = Rent(FirstBytes, memory);
        try
        {
            int length = 0;
            int read;
            // Grows with what has come, not with what a header announces.
            while ((read = await http.Request.Body.ReadAsync(bytes.AsMemory(length), http.RequestAborted)) > 0)
            {
                length += read;
                if (length == bytes.Length)
                {
                    byte[] more = Rent(checked(2 * length), memory);
                    bytes.CopyTo(more, 0);
                    Return(bytes, memory);
                    bytes = more;
                }
            }
            return new JsonBody(memory, bytes, Parse(bytes.AsMemory(0, length)));
        }
        catch (Exception error)
        {
            Return(bytes, memory);
            throw error switch
            {
                BadHttpRequestException => new MmException(MmErrorCode.InvalidArgument, $"the request's body cannot be read: {error.Message}", error),
                JsonException => new MmException(MmErrorCode.InvalidArgument, $"the request's body is not JSON: {error.Message}", error),
                _ => error,
            };
        }
    }

    public void Dispose()
    {
        _document.Dispose();
        Return(_bytes, _memory);
    }

    private static byte[] Rent(int length, BodyMemory memory)
    {
        memory.Take(length);
        // Powers of two are what the pool gives, so that the array's length is what was taken.
        byte[] bytes = ArrayPool<byte>.Shared.Rent(length);
        Debug.Assert(bytes.Length == length, "the pool gave another length than a power of two");
        return bytes;
    }

    private static void Return(byte[] bytes, BodyMemory memory)
    {
        memory.Give(bytes.Length);
        ArrayPool<byte>.Shared.Return(bytes);
    }

    private static JsonDocument Parse(ReadOnlyMemory<byte> json)
    {
        Check(json.Span);
        JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = MaxDepth });
        if (document.RootElement.ValueKind == JsonValueKind.Object)
        {
            return document;
        }
        document.Dispose();
        throw new MmException(MmErrorCode.InvalidArgument, "the request's body must be a JSON object");
    }

    private static void Check(ReadOnlySpan<byte> json)
    {
        // A value and what separates it take two bytes at least.
        bool mayBeMany = json.Length / 2 > MaxValues;
        bool hasSurrogates = json.IndexOf("\\ud"u8) >= 0 || json.IndexOf("\\uD"u8) >= 0;
        if (!mayBeMany && !hasSurrogates)
        {
            return;
        }
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
        for (int values = 0; reader.Read(); values++)
        {
            if (values == MaxValues)
            {
                throw new MmException(MmErrorCode.InvalidArgument, $"the request's body has over {MaxValues} JSON values");
            }
            if (hasSurrogates && reader.ValueIsEscaped)
            {
                CheckText(ref reader);
            }
        }
    }

    // Half of a surrogate pair is good JSON, but no text: reading it as a string would fail wherever a field is read.
    private static void CheckText(ref Utf8JsonReader reader)
    {
        try
        {
            reader.GetString();
        }
        catch (InvalidOperationException error)
        {
            throw new MmException(
                MmErrorCode.InvalidArgument, $"a string at byte {reader.TokenStartIndex} of the request's body has half of a surrogate pair", error);
        }
    }
}
