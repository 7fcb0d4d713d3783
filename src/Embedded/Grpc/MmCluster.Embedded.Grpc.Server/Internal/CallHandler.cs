using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Core.Internal;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Takes one method's HTTP requests through the protocol; derived classes know which sides stream.</summary>
internal abstract class CallHandler(IMethod method, MethodOptions options, CallServices services)
{
    protected MethodOptions Options => options;

    /// <summary>Handles one request.</summary>
    public async Task HandleAsync(HttpContext http)
    {
        if (!Accept(http))
        {
            return;
        }
        http.Response.ContentType = GrpcHeaders.ContentType;
        HttpCallContext call;
        try
        {
            call = new HttpCallContext(http, options, services.Time);
        }
        catch (RpcException error)
        {
            Trailers.Write(http, error.Status, null);
            return;
        }
        try
        {
            call.StartDeadline();
            await RunAsync(call);
            if (call.TryEnd())
            {
                call.WriteTrailers();
            }
        }
        catch (Exception error)
        {
            ProcessHandlerError(call, error);
        }
        finally
        {
            call.Dispose();
        }
    }

    /// <summary>Reads, calls the handler, and writes; the status is the caller's work.</summary>
    protected abstract Task RunAsync(HttpCallContext call);

    protected static async Task<TRequest> ReadRequestAsync<TRequest>(HttpCallContext call, Marshaller<TRequest> marshaller)
        where TRequest : class =>
        await call.Requests.ReadSingleAsync(marshaller.ContextualDeserializer, CancellationToken.None)
            ?? throw new RpcException(FrameErrors.Incomplete);

    /// <summary>Puts the only response of a call behind the headers; small ones leave together with the trailers.</summary>
    protected static async Task WriteResponseAsync<TResponse>(HttpCallContext call, Marshaller<TResponse> marshaller, TResponse? response)
        where TResponse : class
    {
        const int FlushAt = 64 * 1024;
        if (response is null)
        {
            throw new RpcException(new Status(StatusCode.Cancelled, "No message returned from method."));
        }
        if (call.Status.StatusCode != StatusCode.OK)
        {
            return; // a handler that sets another status and returns: the status is what counts
        }
        bool compress = ((call.WriteOptions?.Flags ?? default) & WriteFlags.NoCompress) == 0;
        call.Frames.Append(response, marshaller.ContextualSerializer, compress);
        if (!call.TryEnd())
        {
            return; // the deadline has written the status
        }
        if (!call.HttpContext.Response.HasStarted)
        {
            await call.HttpContext.Response.StartAsync();
        }
        (byte[] array, int length) = call.Frames.Take();
        if (length > FlushAt)
        {
            await call.SendAsync(array.AsMemory(0, length));
        }
        else
        {
            array.AsSpan(0, length).CopyTo(call.HttpContext.Response.BodyWriter.GetSpan(length));
            call.HttpContext.Response.BodyWriter.Advance(length);
        }
        FrameWriter.Return(array);
        call.WriteTrailers();
    }

    /// <summary>A stream may last and grow as it likes.</summary>
    protected static void LiftRequestLimits(HttpContext http)
    {
        if (http.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = null;
        }
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = null;
        }
    }

    /// <summary>The interceptors of a call, innermost first.</summary>
    protected IEnumerable<Interceptor> InterceptorsOf(HttpContext http)
    {
        for (int i = options.Interceptors.Length - 1; i >= 0; i--)
        {
            (Interceptor interceptor, bool made) = options.Interceptors[i].Get(http.RequestServices);
            if (made)
            {
                Disposal.AtEnd(http, interceptor);
            }
            yield return interceptor;
        }
    }

    private static bool Accept(HttpContext http)
    {
        if (!GrpcHeaders.IsGrpc(http.Request.ContentType))
        {
            Refuse(http, StatusCodes.Status415UnsupportedMediaType, $"Content-Type '{http.Request.ContentType}' is not supported.");
            return false;
        }
        if (!HttpProtocol.IsHttp2(http.Request.Protocol) && !HttpProtocol.IsHttp3(http.Request.Protocol))
        {
            Refuse(http, StatusCodes.Status426UpgradeRequired, $"Request protocol '{http.Request.Protocol}' is not supported.");
            http.Response.Headers.Upgrade = "HTTP/2";
            return false;
        }
        return true;
    }

    private static void Refuse(HttpContext http, int httpStatus, string detail)
    {
        http.Response.StatusCode = httpStatus;
        Trailers.Write(http, new Status(StatusCode.Internal, detail), null);
    }

    /// <summary>The one place where what a handler threw becomes a status.</summary>
    private void ProcessHandlerError(HttpCallContext call, Exception error)
    {
        switch (error)
        {
            case RpcException rpc:
                ServerLog.RpcError(services.Logger, method.FullName, rpc.StatusCode, rpc.Status.Detail);
                foreach (Metadata.Entry entry in rpc.Trailers)
                {
                    call.ResponseTrailers.Add(entry);
                }
                call.Status = rpc.Status;
                break;
            case BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge }:
                call.Status = new Status(StatusCode.ResourceExhausted, "Request body exceeds the server's maximum request body size.", error);
                break;
            case OperationCanceledException or IOException or ConnectionAbortedException or InvalidOperationException
                when call.CancellationToken.IsCancellationRequested:
                ServerLog.Cancelled(services.Logger, method.FullName);
                call.Status = new Status(StatusCode.Cancelled, "Call canceled.", error);
                break;
            default:
                ServerLog.HandlerError(services.Logger, error, method.FullName);
                call.Status = new Status(
                    StatusCode.Unknown,
                    options.DetailedErrors ? $"Exception was thrown by handler. {error.GetType().Name}: {error.Message}" : "Exception was thrown by handler.",
                    error);
                break;
        }
        if (call.TryEnd())
        {
            call.WriteTrailers();
        }
    }
}
