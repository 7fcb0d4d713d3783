using MmCluster.Models.Hub;

namespace MmCluster.Models.Tests.Hub;

/// <summary>A hub, a store in a folder of its own, and a puller between them.</summary>
public abstract class HubTests : IAsyncLifetime
{
    private protected static readonly TimeSpan StallTimeout = TimeSpan.FromSeconds(77);

    private protected static readonly HubModelId Id = HubModelId.Parse(HubServer.Model);

    private protected HubServer Server { get; } = new();

    private protected HubTime Time { get; } = new(StallTimeout);

    private protected LocalStore Store { get; } = new(Path.Combine(Path.GetTempPath(), "mm-hub-" + Guid.NewGuid().ToString("n")));

    private protected string Folder => Store.FolderOf(Id);

    public async ValueTask InitializeAsync() => await Server.StartAsync();

    private protected HubPuller Puller(string? token = null, Func<string, long>? freeBytes = null) =>
        freeBytes is null ? new(Store, Options(token), Time) : new(Store, Options(token), Time) { FreeBytes = freeBytes };

    private protected async Task<PullResult> PullAsync(string? token = null, IProgress<PullProgress>? progress = null)
    {
        using HubPuller puller = Puller(token);
        return await puller.PullAsync(Id, progress: progress, stop: TestContext.Current.CancellationToken);
    }

    private protected async Task<MmException> FailsAsync(MmErrorCode code, string? token = null)
    {
        MmException error = await Assert.ThrowsAsync<MmException>(() => PullAsync(token));
        Assert.Equal(code, error.Code);
        Assert.DoesNotContain('\n', error.Message);
        return error;
    }

    private protected void AssertHas(params string[] paths)
    {
        foreach (string path in paths)
        {
            Assert.Equal(Server.Bytes(path), File.ReadAllBytes(Path.Combine(Folder, path)));
        }
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(Folder, ".mm-pull"), "*.partial"));
    }

    private HubOptions Options(string? token) =>
        new() { Endpoint = Server.Address, Token = token, StallTimeout = StallTimeout, MaxAttempts = 4 };

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        if (Directory.Exists(Store.Root))
        {
            Directory.Delete(Store.Root, recursive: true);
        }
        GC.SuppressFinalize(this);
    }
}
