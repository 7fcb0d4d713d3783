namespace MmCluster.Models.Tests;

public sealed class MmErrorTableTests
{
    [Theory]
    [InlineData(MmErrorCode.InvalidArgument, 3, 400, 2)]
    [InlineData(MmErrorCode.NotFound, 5, 404, 2)]
    [InlineData(MmErrorCode.Unauthenticated, 16, 401, 2)]
    [InlineData(MmErrorCode.PermissionDenied, 7, 403, 2)]
    [InlineData(MmErrorCode.AlreadyExists, 6, 409, 2)]
    [InlineData(MmErrorCode.ResourceExhausted, 8, 429, 1)]
    [InlineData(MmErrorCode.Unavailable, 14, 503, 1)]
    [InlineData(MmErrorCode.DeadlineExceeded, 4, 504, 1)]
    [InlineData(MmErrorCode.Cancelled, 1, 499, 130)]
    [InlineData(MmErrorCode.Internal, 13, 500, 70)]
    public void Each_code_has_its_status_and_exit_code(MmErrorCode code, int grpc, int http, int exit) =>
        Assert.Equal((grpc, http, exit), MmErrorTable.Of(code));

    [Fact]
    public void Every_code_is_in_the_table() =>
        Assert.All(Enum.GetValues<MmErrorCode>(), code => Assert.NotEqual(default, MmErrorTable.Of(code)));

    [Fact]
    public void Only_unavailable_is_retried() =>
        Assert.Equal([MmErrorCode.Unavailable], Enum.GetValues<MmErrorCode>().Where(code => new MmException(code, "x").Retryable));

    [Fact]
    public void Bad_content_is_the_callers_fault_and_keeps_its_message()
    {
        var mapped = MmException.From(new InvalidDataException("a.safetensors: header of 8 bytes is cut off"));
        Assert.Equal((MmErrorCode.InvalidArgument, "a.safetensors: header of 8 bytes is cut off"), (mapped.Code, mapped.Message));
    }

    [Fact]
    public void What_nobody_expected_is_our_bug() =>
        Assert.Equal(MmErrorCode.Internal, MmException.From(new InvalidOperationException("x")).Code);
}
