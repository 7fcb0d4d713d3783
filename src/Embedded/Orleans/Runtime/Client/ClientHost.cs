using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Hosting;
using Orleans.Messaging;

namespace Orleans.Runtime.Client;

/// <summary>Connects a client when its host starts and looks for new gateways while it runs.</summary>
internal sealed class ClientHost(ClientRuntime runtime, IServiceProvider services) : IHostedService
{
    public static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _stop = new();

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        ConnectionRetry? retry = services.GetService<ConnectionRetry>();
        for (bool first = true; ; first = false)
        {
            try
            {
                await runtime.RefreshAsync(first);
                break;
            }
            catch (Exception error) when (error is not OperationCanceledException)
            {
                if (retry is null || !await retry.ShouldRetry(error, cancellationToken))
                {
                    throw;
                }
            }
        }
        _ = KeepConnectedAsync();
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        await runtime.StopAsync(cancellationToken.IsCancellationRequested ? TimeSpan.Zero : CloseTimeout);
        runtime.Dispose();
    }

    private async Task KeepConnectedAsync()
    {
        SemaphoreSlim found = new(0);
        runtime.SiloFound = () => found.Release();
        try
        {
            while (true)
            {
                await found.WaitAsync(runtime.RefreshPeriod, _stop.Token);
                while (found.Wait(0))
                {
                }
                try
                {
                    await runtime.RefreshAsync(first: false);
                }
                catch (Exception error) when (error is not OperationCanceledException)
                {
                    // Logged where it happened; the next tick tries again.
                }
            }
        }
        catch (OperationCanceledException)
        {
        }
        finally
        {
            runtime.SiloFound = null;
        }
    }
}

/// <summary>Gateways that are known beforehand.</summary>
internal sealed class StaticGateways(IEnumerable<IPEndPoint> endpoints) : IGatewayListProvider
{
    private readonly Uri[] _uris = [.. endpoints.Select(endpoint => new Uri($"gwy.tcp://{endpoint}/0"))];

    public TimeSpan MaxStaleness => TimeSpan.MaxValue;

    public bool IsUpdatable => true;

    public Task InitializeGatewayListProvider() => Task.CompletedTask;

    public Task<IList<Uri>> GetGateways() => Task.FromResult<IList<Uri>>(_uris);
}
