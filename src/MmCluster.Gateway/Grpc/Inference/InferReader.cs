using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Inference;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.Models;
using MmCluster.Gateway.OpenAi;
using MmCluster.Models;

namespace MmCluster.Gateway.Grpc.Inference;

/// <summary>
/// Reads text generation out of an inference request, by the names of Triton's vLLM and TensorRT-LLM backends: the prompt is
/// <c>text_input</c>, pictures are <c>image</c> (a file's bytes, or base64 of them), and sampling comes as tensors, as the request's
/// parameters, or as JSON in <c>sampling_parameters</c>, the later winning.
/// </summary>
internal sealed record InferReader(ModelRequest Request, bool Stream, bool Echo, bool Raw, string Prompt)
{
    private const int MaxImages = 64;

    private static readonly Dictionary<string, string> Aliases = new()
    {
        ["random_seed"] = "seed",
        ["stop_words"] = "stop",
        ["min_length"] = "min_tokens",
        ["runtime_top_k"] = "top_k",
        ["runtime_top_p"] = "top_p",
        ["return_log_probs"] = "logprobs",
    };

    /// <summary>Reads <paramref name="message"/>.</summary>
    /// <exception cref="MmException">InvalidArgument, naming the tensor or parameter.</exception>
    public static async Task<InferReader> ReadAsync(
        ModelInferRequest message, IServedModel model, MediaSourceReader media, DateTimeOffset? deadline, CancellationToken cancellationToken)
    {
        var tensors = new TensorValues(message);
        JsonObject fields = Fields(message, tensors);
        var reader = new FieldReader(JsonSerializer.SerializeToElement(fields), "");
        string prompt = Text(One(tensors.Bytes("text_input"), "text_input"), "text_input");
        MediaItem[] images = [.. Images(tensors).Select((image, index) => media.Read(Decoded(image), $"image[{index}]"))];
        return new InferReader(
            new ModelRequest
            {
                Id = $"infer-{Guid.NewGuid():N}",
                Input = images.Length == 0 ? new ModelInput.Text(prompt) : await media.CompleteAsync(ModelInput.Chat.FromUser(prompt, images), cancellationToken),
                Sampling = SamplingReader.Read(reader, model.DefaultSampling, RequestReader.DrawSeed),
                Priority = reader.Int("priority", int.MinValue, int.MaxValue) ?? 0,
                CacheSalt = reader.String("cache_salt") ?? "",
                Deadline = deadline,
            },
            reader.Bool("stream"),
            !reader.Bool("exclude_input_in_output", true),
            message.RawInputContents.Count > 0,
            prompt);
    }

    private static JsonObject Fields(ModelInferRequest message, TensorValues tensors)
    {
        var fields = new JsonObject();
        foreach (string name in tensors.Names.Where(name => name is not ("text_input" or "image" or "sampling_parameters")))
        {
            InputOf(name, message, tensors, fields);
        }
        foreach ((string name, InferParameter value) in message.Parameters)
        {
            fields[NameOf(name)] = value.ParameterChoiceCase switch
            {
                InferParameter.ParameterChoiceOneofCase.BoolParam => value.BoolParam,
                InferParameter.ParameterChoiceOneofCase.Int64Param => value.Int64Param,
                InferParameter.ParameterChoiceOneofCase.Uint64Param => value.Uint64Param,
                InferParameter.ParameterChoiceOneofCase.DoubleParam => Finite(value.DoubleParam, name),
                InferParameter.ParameterChoiceOneofCase.StringParam => FromText(name, value.StringParam),
                _ => null,
            };
        }
        foreach (ReadOnlyMemory<byte> json in tensors.Bytes("sampling_parameters"))
        {
            Merge(json, fields);
        }
        return fields;
    }

    private static void InputOf(string name, ModelInferRequest message, TensorValues tensors, JsonObject fields)
    {
        string field = NameOf(name);
        if (message.Inputs.First(input => input.Name == name).Datatype == "BYTES")
        {
            string[] texts = [.. tensors.Bytes(name).Select(item => Text(item, name))];
            // An empty stop word is how clients fill a required tensor.
            fields[field] = field == "stop" ? new JsonArray([.. texts.Where(text => text.Length > 0).Select(text => JsonValue.Create(text))])
                : FromText(name, texts.Length == 1 ? texts[0] : throw FieldReader.Invalid(name, $"the input '{name}' must have one element"));
            return;
        }
        IReadOnlyList<object> values = tensors.Numbers(name);
        JsonNode?[] nodes = [.. values.Select(value => value switch
        {
            bool flag => JsonValue.Create(flag),
            long signed => JsonValue.Create(signed),
            ulong unsigned => JsonValue.Create(unsigned),
            double number => Finite(number, name),
            _ => throw new ArgumentOutOfRangeException(nameof(fields), value, "not a number"),
        })];
        fields[field] = field == "stop_token_ids" ? new JsonArray(nodes)
            : nodes.Length == 1 ? nodes[0]
            : throw FieldReader.Invalid(name, $"the input '{name}' must have one element, not {nodes.Length}");
    }

    // vLLM's backend takes numbers as text too, since its own examples send them so.
    private static void Merge(ReadOnlyMemory<byte> json, JsonObject fields)
    {
        try
        {
            if (JsonNode.Parse(json.Span) is not JsonObject given)
            {
                throw FieldReader.Invalid("sampling_parameters", "'sampling_parameters' must be a JSON object");
            }
            foreach ((string name, JsonNode? value) in given)
            {
                fields[NameOf(name)] = value is JsonValue single && single.TryGetValue(out string? text) ? FromText(name, text) : value?.DeepClone();
            }
        }
        catch (Exception error) when (error is JsonException or ArgumentException)
        {
            throw FieldReader.Invalid("sampling_parameters", $"'sampling_parameters' is not JSON: {error.Message}");
        }
    }

    private static JsonValue? FromText(string name, string text) => NameOf(name) switch
    {
        "stop" or "cache_salt" or "guided_regex" or "guided_json" => JsonValue.Create(text),
        _ when bool.TryParse(text, out bool flag) => JsonValue.Create(flag),
        _ when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole) => JsonValue.Create(whole),
        _ when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number) => JsonValue.Create(number),
        _ => JsonValue.Create(text),
    };

    private static string NameOf(string name) => Aliases.GetValueOrDefault(name, name);

    private static JsonValue Finite(double value, string name) =>
        double.IsFinite(value) ? JsonValue.Create(value) : throw FieldReader.Invalid(name, $"'{name}' is {value.ToString(CultureInfo.InvariantCulture)}");

    private static IReadOnlyList<ReadOnlyMemory<byte>> Images(TensorValues tensors) => tensors.Bytes("image") is { Count: <= MaxImages } images
        ? images
        : throw FieldReader.Invalid("image", $"'image' has more than {MaxImages} elements");

    private static ReadOnlyMemory<byte> Decoded(ReadOnlyMemory<byte> image)
    {
        if (MediaSourceReader.ModalityOf(image.Span) is not null)
        {
            return image;
        }
        byte[] bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(image.Length)];
        return Base64.DecodeFromUtf8(image.Span, bytes, out _, out int written) == System.Buffers.OperationStatus.Done ? bytes.AsMemory(0, written) : image;
    }

    private static ReadOnlyMemory<byte> One(IReadOnlyList<ReadOnlyMemory<byte>> values, string name) => values.Count == 1
        ? values[0]
        : throw FieldReader.Invalid(name, values.Count == 0 ? $"the input '{name}' is missing" : $"the input '{name}' must have one element; send a request a prompt");

    private static string Text(ReadOnlyMemory<byte> utf8, string name)
    {
        try
        {
            return Strict.GetString(utf8.Span);
        }
        catch (DecoderFallbackException)
        {
            throw FieldReader.Invalid(name, $"the input '{name}' is not UTF-8");
        }
    }

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
}
