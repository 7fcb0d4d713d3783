using System.Buffers.Binary;
using System.Text;
using Google.Protobuf;
using Inference;
using MmCluster.Engine;
using MmCluster.Gateway.OpenAi;
using static Inference.ModelInferResponse.Types;

namespace MmCluster.Gateway.Grpc.Inference;

/// <summary>Answers of an inference request: text_output, finish_reason and token counts, raw where the request's contents were.</summary>
internal sealed class InferAnswer(ModelInferRequest request, string model, bool raw)
{
    private readonly HashSet<string> _wanted = [.. request.Outputs.Select(output => output.Name)];

    /// <summary>The outputs that there are.</summary>
    public static IReadOnlyList<(string Name, string Datatype)> Outputs { get; } =
        [("text_output", "BYTES"), ("finish_reason", "BYTES"), ("cumulative_logprob", "FP32"), ("num_input_tokens", "UINT32"), ("num_output_tokens", "UINT32")];

    /// <summary>The first output that the request names and that there is not, or null.</summary>
    public string? Unknown => _wanted.FirstOrDefault(name => !Outputs.Any(output => output.Name == name));

    /// <summary>The answer of ended choices, or of one choice's piece.</summary>
    public ModelInferResponse Of(IReadOnlyList<ChoiceText> choices, string before)
    {
        var response = new ModelInferResponse { ModelName = model, ModelVersion = "1", Id = request.Id };
        Bytes(response, "text_output", choices.Select(choice => before + choice.Text));
        if (choices.All(choice => choice.Finish is not null))
        {
            Bytes(response, "finish_reason", choices.Select(choice => choice.Finish switch
            {
                FinishReason.Stop => "stop",
                FinishReason.Length => "length",
                _ => "abort",
            }));
            if (choices.All(choice => choice.Logprobs.Count > 0))
            {
                Add(response, "cumulative_logprob", choices, choice => choice.Logprobs.Sum(token => token.Chosen.Logprob),
                    (contents, value) => contents.Fp32Contents.Add(value), BinaryPrimitives.WriteSingleLittleEndian);
            }
            Add(response, "num_input_tokens", choices, choice => (uint)(choice.Usage?.PromptTokens ?? 0),
                (contents, value) => contents.UintContents.Add(value), BinaryPrimitives.WriteUInt32LittleEndian);
            Add(response, "num_output_tokens", choices, choice => (uint)(choice.Usage?.CompletionTokens ?? 0),
                (contents, value) => contents.UintContents.Add(value), BinaryPrimitives.WriteUInt32LittleEndian);
        }
        return response;
    }

    private bool Wants(string name) => _wanted.Count == 0 || _wanted.Contains(name);

    private void Bytes(ModelInferResponse response, string name, IEnumerable<string> texts)
    {
        if (!Wants(name))
        {
            return;
        }
        byte[][] elements = [.. texts.Select(Encoding.UTF8.GetBytes)];
        var tensor = new InferOutputTensor { Name = name, Datatype = "BYTES", Shape = { elements.Length } };
        if (raw)
        {
            byte[] whole = new byte[elements.Sum(element => 4 + element.Length)];
            int at = 0;
            foreach (byte[] element in elements)
            {
                BinaryPrimitives.WriteInt32LittleEndian(whole.AsSpan(at), element.Length);
                element.CopyTo(whole, at + 4);
                at += 4 + element.Length;
            }
            response.RawOutputContents.Add(UnsafeByteOperations.UnsafeWrap(whole));
        }
        else
        {
            tensor.Contents = new InferTensorContents { BytesContents = { elements.Select(element => UnsafeByteOperations.UnsafeWrap(element)) } };
        }
        response.Outputs.Add(tensor);
    }

    private delegate void WriteItem<T>(Span<byte> target, T value);

    private void Add<T>(
        ModelInferResponse response,
        string name,
        IReadOnlyList<ChoiceText> choices,
        Func<ChoiceText, T> value,
        Action<InferTensorContents, T> typed,
        WriteItem<T> write)
    {
        if (!Wants(name))
        {
            return;
        }
        var tensor = new InferOutputTensor { Name = name, Datatype = Outputs.First(output => output.Name == name).Datatype, Shape = { choices.Count } };
        if (raw)
        {
            byte[] whole = new byte[4 * choices.Count];
            for (int i = 0; i < choices.Count; i++)
            {
                write(whole.AsSpan(4 * i), value(choices[i]));
            }
            response.RawOutputContents.Add(UnsafeByteOperations.UnsafeWrap(whole));
        }
        else
        {
            tensor.Contents = new InferTensorContents();
            foreach (ChoiceText choice in choices)
            {
                typed(tensor.Contents, value(choice));
            }
        }
        response.Outputs.Add(tensor);
    }
}
