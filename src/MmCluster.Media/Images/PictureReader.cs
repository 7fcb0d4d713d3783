using MmCluster.Media.External;
using MmCluster.Media.Images.Bmp;
using MmCluster.Media.Images.Jpeg;
using MmCluster.Media.Images.Png;

namespace MmCluster.Media.Images;

/// <summary>
/// Decodes pictures from untrusted bytes to upright RGB. The format is told by magic bytes; limits are checked against headers before
/// memory is taken; every error is one line that starts with the item's name. Thread-safe.
/// </summary>
public sealed class PictureReader
{
    private readonly MediaLimits _limits;
    private readonly FfmpegDecoder _ffmpeg;

    /// <summary>A reader.</summary>
    /// <param name="limits">What is refused; by default <see cref="MediaLimits.Default"/>.</param>
    /// <param name="time">The clock of the time limit; by default the system's.</param>
    public PictureReader(MediaLimits? limits = null, TimeProvider? time = null)
        : this(limits ?? MediaLimits.Default, new FfmpegProcess(limits ?? MediaLimits.Default, time ?? TimeProvider.System))
    {
    }

    internal PictureReader(MediaLimits limits, FfmpegProcess ffmpeg)
    {
        _limits = limits;
        _ffmpeg = new FfmpegDecoder(limits, ffmpeg);
    }

    /// <summary>Reads and decodes a file.</summary>
    /// <param name="path">The file; its extension means nothing.</param>
    /// <param name="stop">Ends the work; a started program is killed.</param>
    /// <returns>The upright picture; the caller disposes it.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is no picture that can be read, is damaged, or passes a limit.</exception>
    /// <exception cref="NotSupportedException">The format is known but this kind of it is not read, or the machine lacks what it needs
    /// (<see cref="MissingDependencyException"/>).</exception>
    public async Task<Picture> ReadFileAsync(string path, CancellationToken stop = default) =>
        await DecodeAsync(await MediaFile.ReadAsync(path, _limits, stop), path, stop);

    /// <summary>Decodes bytes.</summary>
    /// <param name="file">The whole encoded picture; not changed, not kept.</param>
    /// <param name="name">What errors call it: a path, an address, "image 2 of the request".</param>
    /// <param name="stop">Ends the work; a started program is killed.</param>
    /// <returns>The upright picture; the caller disposes it.</returns>
    /// <exception cref="InvalidDataException">It is no picture that can be read, is damaged, or passes a limit.</exception>
    /// <exception cref="NotSupportedException">The format is known but this kind of it is not read, or the machine lacks what it needs
    /// (<see cref="MissingDependencyException"/>).</exception>
    public async Task<Picture> DecodeAsync(ReadOnlyMemory<byte> file, string name, CancellationToken stop = default)
    {
        try
        {
            if (file.Length > _limits.MaxBytes)
            {
                throw new InvalidDataException($"{file.Length} bytes are more than the limit of {_limits.MaxBytes}");
            }
            // Off the caller's thread: a large picture takes a second of computing.
            DecodedPicture decoded = await Task.Run(() => DecodeSniffedAsync(file, stop), stop);
            return Orientation.Apply(decoded.Picture, decoded.Orientation);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{name}: {error.Message}", error);
        }
        catch (MissingDependencyException error)
        {
            throw new MissingDependencyException($"{name}: {error.Message}", error.Package);
        }
        catch (NotSupportedException error)
        {
            throw new NotSupportedException($"{name}: {error.Message}", error);
        }
    }

    private async Task<DecodedPicture> DecodeSniffedAsync(ReadOnlyMemory<byte> file, CancellationToken stop)
    {
        MediaFormat format = MediaSniffer.Sniff(file.Span);
        return format switch
        {
            MediaFormat.Png => PngDecoder.Decode(file, _limits, stop),
            MediaFormat.Bmp => BmpDecoder.Decode(file.Span, _limits, stop),
            MediaFormat.Jpeg => JpegDecoder.Decode(file.Span, _limits),
            _ when FfmpegDecoder.Handles(format) => await _ffmpeg.DecodeAsync(format, file, stop),
            _ => throw new InvalidDataException($"no picture that can be read (PNG, JPEG, BMP, WebP, GIF, TIFF, AVIF, ...): {MediaSniffer.Describe(file.Span)}"),
        };
    }
}
