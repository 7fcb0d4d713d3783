using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Runtime;

namespace Orleans.TestingHost;

/// <summary>A silo of a test cluster.</summary>
public abstract class SiloHandle
{
    private protected SiloHandle()
    {
    }
}

/// <summary>A silo that runs in this process.</summary>
public class InProcessSiloHandle : SiloHandle
{
    private bool _stopped;

    /// <summary>A handle to fill.</summary>
    public InProcessSiloHandle()
    {
    }

    /// <summary>The silo's host.</summary>
    public IHost SiloHost { get; init; } = null!;

    /// <summary>The host's services.</summary>
    public IServiceProvider ServiceProvider => SiloHost.Services;

    /// <summary>Whether it was not stopped.</summary>
    public virtual bool IsActive => !_stopped;

    internal ILocalSiloDetails Details => ServiceProvider.GetRequiredService<ILocalSiloDetails>();

    /// <summary>Stops the silo; not gracefully means as a kill of its process does.</summary>
    public virtual async Task StopSiloAsync(bool stopGracefully)
    {
        if (_stopped)
        {
            return;
        }
        _stopped = true;
        if (stopGracefully)
        {
            await SiloHost.StopAsync();
        }
        else
        {
            ServiceProvider.GetRequiredService<Orleans.Runtime.Silo.SiloHost>().Kill();
        }
    }

    /// <summary>Ends the silo if it runs, and disposes of its host.</summary>
    public virtual async ValueTask DisposeAsync()
    {
        _stopped = true;
        if (SiloHost is IAsyncDisposable disposable)
        {
            await disposable.DisposeAsync();
        }
    }
}
