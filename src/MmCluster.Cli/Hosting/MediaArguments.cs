using MmCluster.Engine.Hosting;
using MmCluster.Media;
using MmCluster.Models;
using MmCluster.Models.Cards;

namespace MmCluster.Cli.Hosting;

/// <summary>Reads the media that a command line names: files, or http(s) addresses.</summary>
internal static class MediaArguments
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>The bytes of a picture.</summary>
    /// <exception cref="MmException">NotFound or InvalidArgument, naming it.</exception>
    public static async Task<MediaItem> PictureAsync(string source, CancellationToken cancellationToken)
    {
        byte[] bytes = Uri.TryCreate(source, UriKind.Absolute, out Uri? address) && address.Scheme is "http" or "https"
            ? await FetchAsync(address, cancellationToken)
            : await ReadAsync(source, cancellationToken);
        return new MediaItem(Modality.Image, bytes, source);
    }

    private static async Task<byte[]> ReadAsync(string path, CancellationToken cancellationToken)
    {
        var file = new FileInfo(path);
        if (!file.Exists)
        {
            throw new MmException(MmErrorCode.NotFound, $"{path}: no such file");
        }
        return file.Length <= MediaLimits.Default.MaxBytes
            ? await File.ReadAllBytesAsync(path, cancellationToken)
            : throw TooLarge(path);
    }

    private static async Task<byte[]> FetchAsync(Uri address, CancellationToken cancellationToken)
    {
        using var http = new HttpClient { Timeout = Patience, MaxResponseContentBufferSize = MediaLimits.Default.MaxBytes };
        try
        {
            using HttpResponseMessage response = await http.GetAsync(address, cancellationToken);
            return response.IsSuccessStatusCode
                ? await response.Content.ReadAsByteArrayAsync(cancellationToken)
                : throw new MmException(MmErrorCode.InvalidArgument, $"{address} answered {(int)response.StatusCode} {response.ReasonPhrase}");
        }
        catch (HttpRequestException error) when (error.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded)
        {
            throw TooLarge(address.ToString());
        }
        catch (TaskCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new MmException(MmErrorCode.DeadlineExceeded, $"{address} did not answer within {Patience.TotalSeconds:0} s");
        }
    }

    private static MmException TooLarge(string name) =>
        new(MmErrorCode.InvalidArgument, $"{name}: larger than {ByteSize.Text(MediaLimits.Default.MaxBytes)}, the most that is read");
}
