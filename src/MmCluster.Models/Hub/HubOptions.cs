namespace MmCluster.Models.Hub;

/// <summary>How a hub is reached. Immutable.</summary>
public sealed record HubOptions
{
    /// <summary>The hub's address. Default https://huggingface.co.</summary>
    public Uri Endpoint { get; init; } = new("https://huggingface.co");

    /// <summary>The access token, sent to <see cref="Endpoint"/> and to no other host; null for none. Default null.</summary>
    public string? Token { get; init; }

    /// <summary>Files fetched at the same time. Default 4.</summary>
    public int Parallelism
    {
        get;
        init => field = value is > 0 and <= 64 ? value : throw new ArgumentOutOfRangeException(nameof(Parallelism), value, "must be 1 to 64");
    } = 4;

    /// <summary>Attempts in a row that may fail without a byte of progress before a file is given up. Default 6.</summary>
    public int MaxAttempts
    {
        get;
        init => field = value > 0 ? value : throw new ArgumentOutOfRangeException(nameof(MaxAttempts), value, "must be positive");
    } = 6;

    /// <summary>How long the hub may send nothing before the attempt counts as failed. Default 60 s.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The options that HF_ENDPOINT and HF_TOKEN describe.</summary>
    /// <param name="variable">Looks a variable up; by default in the process's environment.</param>
    /// <exception cref="MmException">InvalidArgument: HF_ENDPOINT is no http or https address.</exception>
    public static HubOptions FromEnvironment(Func<string, string?>? variable = null)
    {
        variable ??= Environment.GetEnvironmentVariable;
        var options = new HubOptions { Token = variable("HF_TOKEN")?.Trim() is { Length: > 0 } token ? token : null };
        if (variable("HF_ENDPOINT")?.Trim() is not { Length: > 0 } endpoint)
        {
            return options;
        }
        return Uri.TryCreate(endpoint.TrimEnd('/'), UriKind.Absolute, out Uri? address) && address.Scheme is "http" or "https"
            ? options with { Endpoint = address }
            : throw new MmException(MmErrorCode.InvalidArgument, $"HF_ENDPOINT '{endpoint}' is no http or https address");
    }
}
