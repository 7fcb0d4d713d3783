using System.Globalization;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Internal;

/// <summary>Asks a process over HTTP whether it is healthy, often until it first is, then now and then.</summary>
internal sealed class HealthProbe(LogConsole console, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan Often = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Seldom = TimeSpan.FromSeconds(5);

    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false }) { Timeout = TimeSpan.FromSeconds(5) };

    /// <summary>The addresses that an instance's checks ask; throws when a check's endpoint is not there.</summary>
    public static (Uri Address, int Status)[] Targets(Instance instance) =>
    [
        .. instance.Resource.All<HealthAnnotation>().Select(check =>
        {
            EndpointAnnotation endpoint = instance.Resource.All<EndpointAnnotation>().FirstOrDefault(endpoint =>
                check.Endpoint is null ? endpoint.Scheme == "http" : string.Equals(endpoint.Name, check.Endpoint, StringComparison.OrdinalIgnoreCase))
                ?? throw new InvalidOperationException($"{instance.Resource.Name}: a health check asks the endpoint '{check.Endpoint ?? "http"}', which is not there");
            string root = string.Create(CultureInfo.InvariantCulture, $"{endpoint.Scheme}://{EndpointReference.LocalHost}:{endpoint.TargetPorts[instance.Index]}");
            return (new Uri(new Uri(root), check.Path), check.Status);
        }),
    ];

    /// <summary>Asks until cancelled; notes what it hears in the instance.</summary>
    public async Task WatchAsync(Instance instance, (Uri Address, int Status)[] targets, CancellationToken cancellationToken)
    {
        instance.Healthy = false;
        try
        {
            while (true)
            {
                bool healthy = await AskAsync(targets, cancellationToken);
                if (healthy != instance.Healthy)
                {
                    instance.Healthy = healthy;
                    console.Report(instance.Name, healthy ? "healthy" : "not healthy any more", problem: !healthy);
                }
                if (healthy)
                {
                    instance.Ready.TrySetResult();
                }
                await Task.Delay(instance.Ready.Task.IsCompleted ? Seldom : Often, time, cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            instance.Healthy = false;
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<bool> AskAsync((Uri Address, int Status)[] targets, CancellationToken cancellationToken)
    {
        foreach ((Uri address, int status) in targets)
        {
            try
            {
                using HttpResponseMessage answer = await _http.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
                if ((int)answer.StatusCode != status)
                {
                    return false;
                }
            }
            catch (Exception error) when (error is HttpRequestException || (error is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                return false;
            }
        }
        return true;
    }
}
