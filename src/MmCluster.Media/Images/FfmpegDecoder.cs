using System.Buffers;
using System.Globalization;
using System.Text;
using MmCluster.Media.External;
using MmCluster.Media.Images.Gif;
using MmCluster.Media.Images.WebP;

namespace MmCluster.Media.Images;

/// <summary>
/// Decodes the first picture of the formats that are left to ffmpeg. It answers with a binary PPM, or for lossy WebP with the planes as
/// YUV4MPEG; either header tells the size.
/// </summary>
internal sealed class FfmpegDecoder(MediaLimits limits, FfmpegProcess ffmpeg)
{
    private const int MaxHeaderBytes = 256;

    private static readonly string[] PpmOutput =
    [
        "-vf", "scale=flags=bitexact+accurate_rnd+full_chroma_int+full_chroma_inp", "-pix_fmt", "rgb24", "-f", "image2pipe", "-c:v", "ppm",
    ];

    private static readonly string[] PlanesOutput = ["-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe"];

    // The only demuxers ever named. All read one stream of bytes; none can name another file or address.
    private static readonly Dictionary<MediaFormat, string> Demuxers = new()
    {
        [MediaFormat.WebP] = "webp_pipe",
        [MediaFormat.Gif] = "gif_pipe",
        [MediaFormat.Tiff] = "tiff_pipe",
        [MediaFormat.Avif] = "mov",
        [MediaFormat.Jpeg2000] = "j2k_pipe",
        [MediaFormat.Qoi] = "qoi_pipe",
    };

    /// <summary>Whether ffmpeg is asked for this format.</summary>
    public static bool Handles(MediaFormat format) => format == MediaFormat.Pnm || Demuxers.ContainsKey(format);

    /// <summary>Decodes a file's first picture.</summary>
    /// <param name="format">What its first bytes announce.</param>
    /// <param name="file">The whole file.</param>
    /// <param name="stop">Kills the program.</param>
    /// <exception cref="InvalidDataException">It cannot be decoded, or passes a limit.</exception>
    /// <exception cref="MissingDependencyException">There is no ffmpeg.</exception>
    public async Task<DecodedPicture> DecodeAsync(MediaFormat format, ReadOnlyMemory<byte> file, CancellationToken stop)
    {
        switch (format)
        {
            case MediaFormat.WebP:
                return await DecodeWebPAsync(WebPFile.Parse(file, limits), stop);
            case MediaFormat.Gif:
                return await DecodeGifAsync(GifFile.Parse(file, limits), stop);
            default:
                PictureHeaders.Check(format, file.Span, limits);
                Picture picture = await RunAsync(format, file, PpmOutput, ReadPpmAsync, stop);
                return new DecodedPicture(picture, PictureHeaders.Orientation(format, file.Span));
        }
    }

    private async Task<DecodedPicture> DecodeGifAsync(GifFile gif, CancellationToken stop)
    {
        Picture picture = await RunAsync(MediaFormat.Gif, gif.ToSimpleFile(), PpmOutput, ReadPpmAsync, stop);
        return new DecodedPicture(Place(picture, gif.Width, gif.Height, gif.Offset, gif.Background), 1);
    }

    private async Task<DecodedPicture> DecodeWebPAsync(WebPFile webp, CancellationToken stop)
    {
        byte[] file = webp.ToSimpleFile();
        Picture picture = webp.IsLossy
            ? await RunAsync(MediaFormat.WebP, file, PlanesOutput, ReadPlanesAsync, stop)
            : await RunAsync(MediaFormat.WebP, file, PpmOutput, ReadPpmAsync, stop);
        return new DecodedPicture(Place(picture, webp.Width, webp.Height, webp.Offset, (0, 0, 0)), webp.Orientation);
    }

    // On its canvas, of which the first frame of an animation may leave some empty.
    private static Picture Place(Picture picture, int width, int height, (int X, int Y) offset, (byte, byte, byte) background)
    {
        if ((picture.Width, picture.Height) == (width, height))
        {
            return picture;
        }
        using (picture)
        {
            return offset.X + picture.Width <= width && offset.Y + picture.Height <= height
                ? picture.PlaceOn(width, height, offset, background)
                : throw new InvalidDataException("the first frame does not lie on the canvas");
        }
    }

    private async Task<Picture> RunAsync(
        MediaFormat format, ReadOnlyMemory<byte> file, string[] output, Func<Stream, CancellationToken, Task<Picture?>> read, CancellationToken stop)
    {
        string[] input =
        [
            "-noautorotate", "-xerror", "-max_pixels", limits.MaxPixels.ToString(CultureInfo.InvariantCulture),
            // TIFF has no parser that finds a picture's end in a pipe: the demuxer is told that all of it is one. The stricter checks
            // of the others would refuse every tag that its decoder does not use.
            .. format == MediaFormat.Tiff
                ? (string[])["-frame_size", file.Length.ToString(CultureInfo.InvariantCulture)]
                : ["-err_detect", "explode"],
            "-f", format == MediaFormat.Pnm ? PnmDemuxer(file.Span) : Demuxers[format],
        ];
        (Picture? picture, ToolResult result) = await ffmpeg.RunAsync(
            input, ["-map", "0:v:0", "-frames:v", "1", .. output, "-threads", "1"], file, read, stop);
        if (picture is not null && result.ExitCode == 0)
        {
            return picture;
        }
        picture?.Dispose();
        throw new InvalidDataException(
            $"{format}: ffmpeg cannot decode it ({(result.ErrorText.Length > 0 ? result.ErrorText : $"exit status {result.ExitCode}")})");
    }

    private static string PnmDemuxer(ReadOnlySpan<byte> file) => file[1] switch
    {
        (byte)'1' or (byte)'4' => "pbm_pipe",
        (byte)'2' or (byte)'5' => "pgm_pipe",
        _ => "ppm_pipe",
    };

    // "P6\n<width> <height>\n255\n" and the pixels, as ffmpeg's encoder writes it.
    private async Task<Picture?> ReadPpmAsync(Stream output, CancellationToken stop)
    {
        string[] words = await ReadLinesAsync(output, 3, stop);
        if (words is not ["P6", var width, var height, "255"] || Allocate(width, height) is not { } picture)
        {
            return null;
        }
        try
        {
            return await picture.FillAsync(output, stop) ? picture : throw BrokenOff();
        }
        catch
        {
            picture.Dispose();
            throw;
        }
    }

    // "YUV4MPEG2 W<width> H<height> ...\nFRAME\n" and three planes.
    private async Task<Picture?> ReadPlanesAsync(Stream output, CancellationToken stop)
    {
        string[] words = await ReadLinesAsync(output, 2, stop);
        string? width = words.FirstOrDefault(word => word.StartsWith('W'))?[1..];
        string? height = words.FirstOrDefault(word => word.StartsWith('H'))?[1..];
        if (words is not ["YUV4MPEG2", .., "FRAME"] || Allocate(width, height) is not { } picture)
        {
            return null;
        }
        int count = (picture.Width * picture.Height) + (2 * ((picture.Width + 1) / 2) * ((picture.Height + 1) / 2));
        byte[] planes = ArrayPool<byte>.Shared.Rent(count);
        try
        {
            if (await output.ReadAtLeastAsync(planes.AsMemory(0, count), count, throwOnEndOfStream: false, stop) < count)
            {
                throw BrokenOff();
            }
            ChromaUpsampler.ToRgb(planes.AsSpan(0, count), picture);
            return picture;
        }
        catch
        {
            picture.Dispose();
            throw;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(planes);
        }
    }

    // The words of so many lines; none if they do not come or are too long.
    private static async Task<string[]> ReadLinesAsync(Stream output, int lines, CancellationToken stop)
    {
        byte[] header = new byte[MaxHeaderBytes];
        int length = 0;
        for (; lines > 0; length++)
        {
            if (length == header.Length || await output.ReadAsync(header.AsMemory(length, 1), stop) == 0)
            {
                return [];
            }
            lines -= header[length] == '\n' ? 1 : 0;
        }
        return Encoding.ASCII.GetString(header, 0, length).Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
    }

    private Picture? Allocate(string? width, string? height)
    {
        if (!int.TryParse(width, NumberStyles.None, CultureInfo.InvariantCulture, out int columns)
            || !int.TryParse(height, NumberStyles.None, CultureInfo.InvariantCulture, out int rows))
        {
            return null;
        }
        limits.CheckPicture(columns, rows);
        return Picture.Allocate(columns, rows);
    }

    private static InvalidDataException BrokenOff() => new("the decoded pixels break off");
}
