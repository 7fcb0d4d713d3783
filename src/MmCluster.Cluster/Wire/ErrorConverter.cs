using MmCluster.Models;

namespace MmCluster.Cluster.Wire;

/// <summary>An <see cref="MmException"/> in a message: code and fields, which callers act on.</summary>
[GenerateSerializer, Immutable, Alias("mm.Error")]
internal struct ErrorSurrogate
{
    [Id(0)]
    public MmErrorCode Code;

    [Id(1)]
    public string Message;

    [Id(2)]
    public string? Param;

    [Id(3)]
    public string? Stage;

    [Id(4)]
    public TimeSpan? RetryAfter;
}

/// <summary>Converts errors.</summary>
[RegisterConverter]
internal sealed class ErrorConverter : IConverter<MmException, ErrorSurrogate>
{
    public MmException ConvertFromSurrogate(in ErrorSurrogate surrogate) => new(surrogate.Code, surrogate.Message)
    {
        Param = surrogate.Param,
        Stage = surrogate.Stage,
        RetryAfter = surrogate.RetryAfter,
    };

    public ErrorSurrogate ConvertToSurrogate(in MmException value) => new()
    {
        Code = value.Code,
        Message = value.Message,
        Param = value.Param,
        Stage = value.Stage,
        RetryAfter = value.RetryAfter,
    };
}
