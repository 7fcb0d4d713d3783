namespace MmCluster.Models.Hub;

/// <summary>A model in a local store.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Folder">Where it is.</param>
/// <param name="Commit">The commit that was pulled; null for a folder that was put there by hand.</param>
/// <param name="IsComplete">Whether its last pull came to its end; true for a folder that was put there by hand.</param>
/// <param name="Bytes">The size of its files.</param>
public sealed record StoredModel(HubModelId Id, string Folder, string? Commit, bool IsComplete, long Bytes);

/// <summary>
/// The folder that pulled models live in: <c>$MM_HOME/models</c>, or <c>$XDG_CACHE_HOME/mmcluster/models</c>, or
/// <c>~/.cache/mmcluster/models</c>. Each model is a plain folder named <c>ORG--NAME</c>. Thread-safe.
/// </summary>
/// <param name="root">The folder; it need not exist yet.</param>
public sealed class LocalStore(string root)
{
    private const string Separator = "--";

    // Links are not followed: one may lead to a folder above.
    private static readonly EnumerationOptions OwnFiles = new()
    {
        RecurseSubdirectories = true,
        AttributesToSkip = FileAttributes.ReparsePoint,
        IgnoreInaccessible = true,
    };

    /// <summary>The folder of all models.</summary>
    public string Root { get; } = Path.GetFullPath(root);

    /// <summary>The store of this user.</summary>
    /// <param name="variable">Looks a variable up; by default in the process's environment.</param>
    /// <exception cref="MmException">InvalidArgument: neither MM_HOME, XDG_CACHE_HOME nor HOME tells where it is.</exception>
    public static LocalStore FromEnvironment(Func<string, string?>? variable = null)
    {
        variable ??= Environment.GetEnvironmentVariable;
        if (variable("MM_HOME") is { Length: > 0 } own)
        {
            return new LocalStore(Path.Combine(own, "models"));
        }
        // The XDG specification: a relative path there is to be ignored.
        if (variable("XDG_CACHE_HOME") is { Length: > 0 } cache && Path.IsPathRooted(cache))
        {
            return new LocalStore(Path.Combine(cache, "mmcluster", "models"));
        }
        return variable("HOME") is { Length: > 0 } home ? new LocalStore(Path.Combine(home, ".cache", "mmcluster", "models"))
            : throw new MmException(MmErrorCode.InvalidArgument, "set MM_HOME: without it and HOME there is no place for models");
    }

    /// <summary>Where a model is or would be.</summary>
    /// <param name="id">The model.</param>
    public string FolderOf(HubModelId id) => Path.Combine(Root, id.FolderName);

    /// <summary>Finds a model.</summary>
    /// <param name="name"><c>ORG/NAME</c> or <c>ORG--NAME</c>.</param>
    /// <returns>null if there is none of that name. Look at <see cref="StoredModel.IsComplete"/> before loading it.</returns>
    public StoredModel? Find(string name)
    {
        HubModelId? id = HubModelId.TryParse(name, out HubModelId? parsed) ? parsed : FromFolderName(name);
        return id is null ? null : Read(FolderOf(id));
    }

    /// <summary>All models, by name.</summary>
    public IReadOnlyList<StoredModel> List() => !Directory.Exists(Root) ? []
        : [.. Directory.EnumerateDirectories(Root).Select(Read).OfType<StoredModel>().OrderBy(model => $"{model.Id}", StringComparer.Ordinal)];

    private static StoredModel? Read(string folder)
    {
        PullManifest? manifest = PullManifest.TryRead(folder);
        // The manifest knows where ORG ends, should a name have "--" inside.
        HubModelId? id = manifest is not null && HubModelId.TryParse(manifest.Model, out HubModelId? known) && known.FolderName == Path.GetFileName(folder)
            ? known : FromFolderName(Path.GetFileName(folder));
        if (id is null || !Directory.Exists(folder))
        {
            return null;
        }
        bool began = Directory.Exists(Path.Combine(folder, HubPath.StateFolder));
        long bytes = new DirectoryInfo(folder).EnumerateFiles("*", OwnFiles)
            .Where(file => file.Directory?.Name != HubPath.StateFolder).Sum(file => file.Length);
        return new StoredModel(id, folder, manifest?.Commit, manifest?.Complete ?? !began, bytes);
    }

    private static HubModelId? FromFolderName(string name)
    {
        int at = name.IndexOf(Separator, StringComparison.Ordinal);
        return at > 0 && HubModelId.TryParse($"{name[..at]}/{name[(at + Separator.Length)..]}", out HubModelId? id) ? id : null;
    }
}
