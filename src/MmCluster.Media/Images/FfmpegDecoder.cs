using System.Globalization;
using System.Text;
using MmCluster.Media.External;

namespace MmCluster.Media.Images;

/// <summary>Decodes the first picture of the formats that are left to ffmpeg. It answers with a binary PPM, whose header tells the size.</summary>
internal sealed class FfmpegDecoder(MediaLimits limits, FfmpegProcess ffmpeg)
{
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
        PictureHeaders.Check(format, file.Span, limits);
        string[] input =
        [
            "-xerror", "-err_detect", "explode", "-max_pixels", limits.MaxPixels.ToString(CultureInfo.InvariantCulture),
            // TIFF has no parser that finds a picture's end in a pipe: the demuxer is told that all of it is one.
            .. format == MediaFormat.Tiff ? (string[])["-frame_size", file.Length.ToString(CultureInfo.InvariantCulture)] : [],
            "-f", format == MediaFormat.Pnm ? PnmDemuxer(file.Span) : Demuxers[format],
        ];
        string[] output =
        [
            "-map", "0:v:0", "-frames:v", "1", "-vf", "scale=flags=bitexact+accurate_rnd+full_chroma_int+full_chroma_inp",
            "-pix_fmt", "rgb24", "-f", "image2pipe", "-c:v", "ppm", "-threads", "1",
        ];
        (Picture? picture, ToolResult result) = await ffmpeg.RunAsync(["-noautorotate", .. input], output, file, ReadPpmAsync, stop);
        if (picture is null || result.ExitCode != 0)
        {
            picture?.Dispose();
            throw new InvalidDataException($"{format}: ffmpeg cannot decode it ({(result.ErrorText.Length > 0 ? result.ErrorText : $"exit status {result.ExitCode}")})");
        }
        return new DecodedPicture(picture, PictureHeaders.Orientation(format, file.Span));
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
        byte[] header = new byte[32];
        int length = 0;
        for (int lines = 0; lines < 3; length++)
        {
            if (length == header.Length || await output.ReadAsync(header.AsMemory(length, 1), stop) == 0)
            {
                return null;
            }
            lines += header[length] == '\n' ? 1 : 0;
        }
        string[] words = Encoding.ASCII.GetString(header, 0, length).Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
        if (words is not ["P6", var w, var h, "255"]
            || !int.TryParse(w, NumberStyles.None, CultureInfo.InvariantCulture, out int width)
            || !int.TryParse(h, NumberStyles.None, CultureInfo.InvariantCulture, out int height))
        {
            return null;
        }
        limits.CheckPicture(width, height);
        Picture picture = Picture.Allocate(width, height);
        try
        {
            return await picture.FillAsync(output, stop) ? picture : throw new InvalidDataException("the decoded pixels break off");
        }
        catch
        {
            picture.Dispose();
            throw;
        }
    }
}
