namespace Grpc.Core.Internal;

/// <summary>The statuses of broken or refused messages, with the texts of grpc-dotnet.</summary>
internal static class FrameErrors
{
    public static readonly Status TooLargeToReceive =
        new(StatusCode.ResourceExhausted, "Received message exceeds the maximum configured message size.");

    public static readonly Status TooLargeToSend =
        new(StatusCode.ResourceExhausted, "Sending message exceeds the maximum configured message size.");

    public static readonly Status Incomplete = new(StatusCode.Internal, "Incomplete message.");

    public static readonly Status Additional = new(StatusCode.Internal, "Additional data after the message received.");

    public static readonly Status BadFlag = new(StatusCode.Internal, "Unexpected compressed flag value in message header.");

    public static readonly Status CompressedWithoutEncoding =
        new(StatusCode.Internal, "Request did not include grpc-encoding value with compressed message.");

    public static readonly Status CompressedIdentity =
        new(StatusCode.Internal, "Request sent 'identity' grpc-encoding value with compressed message.");

    public static Status UnsupportedEncoding(string encoding) =>
        new(StatusCode.Unimplemented, $"Unsupported grpc-encoding value '{encoding}'. Supported encodings: identity, gzip");
}
