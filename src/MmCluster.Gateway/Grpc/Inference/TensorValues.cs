using System.Buffers.Binary;
using Inference;
using MmCluster.Gateway.OpenAi;
using static Inference.ModelInferRequest.Types;

namespace MmCluster.Gateway.Grpc.Inference;

/// <summary>
/// The values of a request's input tensors, from their typed contents or from raw_input_contents (row-major, little-endian; BYTES elements
/// each behind their length in four bytes).
/// </summary>
internal sealed class TensorValues
{
    private readonly ModelInferRequest _request;
    private readonly Dictionary<string, int> _indices = [];

    public TensorValues(ModelInferRequest request)
    {
        _request = request;
        if (request.RawInputContents.Count > 0 && request.RawInputContents.Count != request.Inputs.Count)
        {
            throw FieldReader.Invalid(
                "raw_input_contents", $"'raw_input_contents' has {request.RawInputContents.Count} entries for {request.Inputs.Count} inputs; it must have one each");
        }
        for (int i = 0; i < request.Inputs.Count; i++)
        {
            if (!_indices.TryAdd(request.Inputs[i].Name, i))
            {
                throw FieldReader.Invalid(request.Inputs[i].Name, $"the input '{request.Inputs[i].Name}' is given twice");
            }
        }
    }

    /// <summary>The inputs' names.</summary>
    public IEnumerable<string> Names => _indices.Keys;

    /// <summary>The elements of a BYTES tensor; none where it is absent.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Bytes(string name)
    {
        if (!_indices.TryGetValue(name, out int index))
        {
            return [];
        }
        InferInputTensor input = _request.Inputs[index];
        if (input.Datatype != "BYTES")
        {
            throw FieldReader.Invalid(name, $"the input '{name}' must be of datatype BYTES, not '{input.Datatype}'");
        }
        return CheckCount(
            input,
            _request.RawInputContents.Count > 0
                ? Elements(_request.RawInputContents[index].Memory, name)
                : [.. (input.Contents?.BytesContents ?? []).Select(item => item.Memory)]);
    }

    /// <summary>The elements of a tensor of numbers or truth values.</summary>
    public IReadOnlyList<object> Numbers(string name)
    {
        int index = _indices[name];
        InferInputTensor input = _request.Inputs[index];
        bool raw = _request.RawInputContents.Count > 0;
        ReadOnlySpan<byte> bytes = raw ? _request.RawInputContents[index].Span : default;
        InferTensorContents contents = input.Contents ?? new InferTensorContents();
        return CheckCount(input, (input.Datatype, raw) switch
        {
            ("BOOL", false) => [.. contents.BoolContents],
            ("INT8" or "INT16" or "INT32", false) => [.. contents.IntContents.Select(value => (long)value)],
            ("INT64", false) => [.. contents.Int64Contents],
            ("UINT8" or "UINT16" or "UINT32", false) => [.. contents.UintContents.Select(value => (ulong)value)],
            ("UINT64", false) => [.. contents.Uint64Contents],
            ("FP32", false) => [.. contents.Fp32Contents.Select(Shortest)],
            ("FP64", false) => [.. contents.Fp64Contents],
            ("BOOL", true) => Raw(bytes, 1, name, static item => item[0] != 0),
            ("INT32", true) => Raw(bytes, 4, name, static item => (long)BinaryPrimitives.ReadInt32LittleEndian(item)),
            ("INT64", true) => Raw(bytes, 8, name, static item => BinaryPrimitives.ReadInt64LittleEndian(item)),
            ("UINT32", true) => Raw(bytes, 4, name, static item => (ulong)BinaryPrimitives.ReadUInt32LittleEndian(item)),
            ("UINT64", true) => Raw(bytes, 8, name, static item => BinaryPrimitives.ReadUInt64LittleEndian(item)),
            ("FP32", true) => Raw(bytes, 4, name, static item => Shortest(BinaryPrimitives.ReadSingleLittleEndian(item))),
            ("FP64", true) => Raw(bytes, 8, name, static item => BinaryPrimitives.ReadDoubleLittleEndian(item)),
            _ => throw FieldReader.Invalid(name, $"the input '{name}' has datatype '{input.Datatype}'; known are BOOL, INT32, INT64, UINT32, UINT64, FP32, FP64 and BYTES"),
        });
    }

    /// <summary>Elements behind their lengths.</summary>
    internal static IReadOnlyList<ReadOnlyMemory<byte>> Elements(ReadOnlyMemory<byte> raw, string name)
    {
        var result = new List<ReadOnlyMemory<byte>>();
        while (!raw.IsEmpty)
        {
            uint length = raw.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(raw.Span) : uint.MaxValue;
            if (length > raw.Length - 4)
            {
                throw FieldReader.Invalid(name, $"the raw contents of '{name}' end within an element");
            }
            result.Add(raw.Slice(4, (int)length));
            raw = raw[(4 + (int)length)..];
        }
        return result;
    }

    // 0.1f is to be read as 0.1.
    private static object Shortest(float value) =>
        double.Parse(value.ToString(System.Globalization.CultureInfo.InvariantCulture), System.Globalization.CultureInfo.InvariantCulture);

    private static List<object> Raw<T>(ReadOnlySpan<byte> bytes, int size, string name, Func<ReadOnlySpan<byte>, T> read)
        where T : notnull
    {
        if (bytes.Length % size != 0)
        {
            throw FieldReader.Invalid(name, $"the raw contents of '{name}' have {bytes.Length} bytes, which is no multiple of {size}");
        }
        var result = new List<object>(bytes.Length / size);
        for (int at = 0; at < bytes.Length; at += size)
        {
            result.Add(read(bytes.Slice(at, size)));
        }
        return result;
    }

    private static IReadOnlyList<T> CheckCount<T>(InferInputTensor input, IReadOnlyList<T> values)
    {
        Int128 expected = 1;
        foreach (long size in input.Shape)
        {
            expected = size >= 0 && expected <= int.MaxValue ? expected * size
                : throw FieldReader.Invalid(input.Name, $"the input '{input.Name}' has the shape [{string.Join(", ", input.Shape)}]");
        }
        return expected == values.Count
            ? values
            : throw FieldReader.Invalid(
                input.Name, $"the input '{input.Name}' has {values.Count} elements; its shape [{string.Join(", ", input.Shape)}] says {expected}");
    }
}
