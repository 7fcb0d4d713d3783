using System.Net;

namespace MmCluster.Models.Hub;

/// <summary>Fetches one file of a model: continues, repeats, checks.</summary>
internal sealed class FileDownload(HubClient client, HubSnapshot snapshot, string folder, PullState state, TimeProvider time)
{
    private const int BufferBytes = 1 << 17;
    private const long ReportEvery = 1 << 20;
    private const long MaxUnannounced = 1L << 30;

    private readonly HubRetry _retry = new(client.Options.MaxAttempts, time);

    /// <summary>Fetches a file unless it is already there.</summary>
    /// <param name="file">The file.</param>
    /// <param name="known">The digest that the file at its place was found to have before; null if it was not looked at.</param>
    /// <param name="stop">Ends the transfer; what is here is kept for the next pull.</param>
    /// <returns>The digest that the file was checked against; null if the hub gave none.</returns>
    /// <exception cref="MmException">It cannot be had.</exception>
    public async Task<HubDigest?> RunAsync(HubFile file, string? known, CancellationToken stop)
    {
        if (file.Digest is null || file.Size is null)
        {
            file = await _retry.RunAsync(Name(file), token => ProbeAsync(file, token), () => 0, stop);
        }
        string target = HubPath.Resolve(folder, file.Path);
        if (await IsThereAsync(target, file, known, stop))
        {
            state.Report(file, file.Size ?? 0, complete: true);
            return file.Digest;
        }
        await using PartialFile partial = await PartialFile.OpenAsync(Path.Combine(folder, HubPath.StateFolder), file, stop);
        await _retry.RunAsync(Name(file), token => TransferAsync(file, partial, token), () => partial.HighWater, stop);
        long length = partial.Length;
        if (!await partial.FinishAsync(target))
        {
            throw new MmException(MmErrorCode.Unavailable,
                $"{Name(file)}: the bytes that came do not have the announced {(file.Digest!.IsSha256 ? "sha256" : "git hash")} {file.Digest.Hex}: they were thrown away, pull again");
        }
        state.Report(file, length, complete: true);
        return file.Digest;
    }

    private async Task<HubFile> ProbeAsync(HubFile file, CancellationToken stop)
    {
        using HubResponse response = await client.ProbeAsync(snapshot.Id, snapshot.Commit, file.Path, stop);
        return file with { Digest = file.Digest ?? response.Digest, Size = file.Size ?? response.Size };
    }

    private static async Task<bool> IsThereAsync(string target, HubFile file, string? known, CancellationToken stop)
    {
        var info = new FileInfo(target);
        if (!info.Exists || file.Digest is null || (file.Size is { } size && size != info.Length))
        {
            return false;
        }
        return known == file.Digest.Hex || await file.Digest.MatchesAsync(target, stop);
    }

    private async Task<bool> TransferAsync(HubFile file, PartialFile partial, CancellationToken stop)
    {
        if (file.Size is { } whole && partial.Length == whole)
        {
            return true;
        }
        using var stall = new CancellationTokenSource(client.Options.StallTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, stall.Token);
        try
        {
            using HubResponse response = await client.OpenAsync(snapshot.Id, snapshot.Commit, file.Path, partial.Length, either.Token);
            Continue(file, partial, response);
            await CopyAsync(file, partial, response, stall, either.Token);
        }
        catch (OperationCanceledException) when (stall.IsCancellationRequested && !stop.IsCancellationRequested)
        {
            throw new TimeoutException($"nothing came for {client.Options.StallTimeout.TotalSeconds:0.#} s");
        }
        return file.Size is null || partial.Length == file.Size ? true
            : throw new HttpRequestException($"the transfer broke off at byte {partial.Length} of {file.Size}");
    }

    // Decides by the answer's headers whether its body goes behind what is here, or in its place.
    private void Continue(HubFile file, PartialFile partial, HubResponse response)
    {
        if ((response.Digest is { } digest && file.Digest is { } expected && digest.IsSha256 == expected.IsSha256 && digest != expected)
            || (response.Size is { } size && file.Size is { } announced && size != announced))
        {
            throw new MmException(MmErrorCode.Unavailable, $"{Name(file)}: the file is another one than the hub's list announces: pull again");
        }
        bool continues = response.Message.StatusCode == HttpStatusCode.PartialContent
            && response.Message.Content.Headers.ContentRange?.From == partial.Length;
        if (!continues && partial.Length > 0)
        {
            partial.Restart();
        }
        if (!continues && response.Message.StatusCode != HttpStatusCode.OK)
        {
            throw new HttpRequestException($"the hub does not continue the file ({(int)response.Message.StatusCode})");
        }
    }

    private async Task CopyAsync(HubFile file, PartialFile partial, HubResponse response, CancellationTokenSource stall, CancellationToken stop)
    {
        await using Stream body = await response.Message.Content.ReadAsStreamAsync(stop);
        byte[] buffer = new byte[BufferBytes];
        long reported = -ReportEvery;
        while (await HubClient.ReadAsync(body, buffer, stop) is > 0 and int read)
        {
            stall.CancelAfter(client.Options.StallTimeout);
            if (partial.Length + read > (file.Size ?? MaxUnannounced))
            {
                partial.Restart();
                throw new MmException(MmErrorCode.Unavailable, $"{Name(file)}: the hub sends more than the {file.Size ?? MaxUnannounced} bytes that are allowed");
            }
            await partial.AppendAsync(buffer.AsMemory(0, read), stop);
            state.AddFetched(read);
            if (partial.Length - reported >= ReportEvery)
            {
                reported = partial.Length;
                state.Report(file, reported);
            }
        }
    }

    private string Name(HubFile file) => $"{snapshot.Id}: {file.Path}";
}
