namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Ends a call when its time is over, then cancels its handler.</summary>
internal sealed class ServerDeadline : IDisposable
{
    private readonly HttpCallContext _call;
    private readonly CancellationTokenSource _cancellation;
    private readonly ITimer _timer;

    public ServerDeadline(HttpCallContext call, TimeProvider time, TimeSpan left)
    {
        _call = call;
        _cancellation = CancellationTokenSource.CreateLinkedTokenSource(call.HttpContext.RequestAborted);
        Token = _cancellation.Token;
        At = (time.GetUtcNow() + left).UtcDateTime;
        _timer = time.CreateTimer(static state => _ = ((ServerDeadline)state!).ExpireAsync(), this, left, Timeout.InfiniteTimeSpan);
    }

    public DateTime At { get; }

    public CancellationToken Token { get; }

    public void Dispose()
    {
        _timer.Dispose();
        _cancellation.Dispose();
    }

    private async Task ExpireAsync()
    {
        try
        {
            // The status first: a handler that throws on cancellation must not be what the caller hears of.
            await _call.ExpireAsync();
        }
        catch (Exception)
        {
            // The connection broke at the same moment; its token tells the handler.
        }
        finally
        {
            try
            {
                await _cancellation.CancelAsync();
            }
            catch (ObjectDisposedException)
            {
                // The handler returned at the same moment.
            }
        }
    }
}
