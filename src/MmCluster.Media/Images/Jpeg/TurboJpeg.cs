using System.Runtime.InteropServices;

namespace MmCluster.Media.Images.Jpeg;

/// <summary>The functions of libjpeg-turbo's TurboJPEG API (version 2, also in 3) that decoding needs, one to one.</summary>
internal static unsafe partial class TurboJpeg
{
    public const string Package = "libturbojpeg0";
    public const int PixelRgb = 0; // TJPF_RGB
    public const int PixelCmyk = 11; // TJPF_CMYK
    public const int ColorspaceCmyk = 3; // TJCS_CMYK
    public const int ColorspaceYcck = 4; // TJCS_YCCK
    public const int AccurateDct = 4096; // TJFLAG_ACCURATEDCT
    public const int StopOnWarning = 8192; // TJFLAG_STOPONWARNING
    public const int LimitScans = 32768; // TJFLAG_LIMITSCANS
    public const int ErrorWarning = 0; // TJERR_WARNING

    private const string Library = "libturbojpeg.so.0";

    [LibraryImport(Library)]
    private static partial nint tjInitDecompress();

    [LibraryImport(Library)]
    private static partial int tjDestroy(nint handle);

    [LibraryImport(Library)]
    private static partial int tjDecompressHeader3(
        Handle handle, byte* file, CULong length, out int width, out int height, out int subsampling, out int colorspace);

    [LibraryImport(Library)]
    private static partial int tjDecompress2(
        Handle handle, byte* file, CULong length, byte* pixels, int width, int pitch, int height, int format, int flags);

    [LibraryImport(Library)]
    private static partial byte* tjGetErrorStr2(Handle handle);

    [LibraryImport(Library)]
    private static partial int tjGetErrorCode(Handle handle);

    /// <summary>A decompressor.</summary>
    /// <exception cref="MissingDependencyException">The library is not installed.</exception>
    public static Handle Open()
    {
        try
        {
            nint handle = tjInitDecompress();
            return handle != 0 ? new Handle(handle) : throw new InvalidOperationException("tjInitDecompress failed");
        }
        catch (Exception error) when (error is DllNotFoundException or EntryPointNotFoundException)
        {
            throw new MissingDependencyException(
                $"JPEG pictures need {Library}: install the package {Package} (apt-get install {Package})", Package);
        }
    }

    /// <summary>What the library itself reads as width, height and colour space (-1 where it gave up).</summary>
    public static (int Width, int Height, int Colorspace) ReadHeader(Handle handle, ReadOnlySpan<byte> file)
    {
        fixed (byte* bytes = file)
        {
            // An unusual subsampling makes this call fail after it has filled in what we need.
            (int width, int height, int colorspace) = (-1, -1, -1);
            _ = tjDecompressHeader3(handle, bytes, new CULong((nuint)file.Length), out width, out height, out _, out colorspace);
            return (width, height, colorspace);
        }
    }

    /// <summary>Decodes with the accurate DCT and smooth chroma upsampling, which is what Pillow does.</summary>
    /// <param name="handle">The decompressor.</param>
    /// <param name="file">The file.</param>
    /// <param name="pixels">Receives height rows of one length.</param>
    /// <param name="size">Width and height of the picture.</param>
    /// <param name="format">TJPF_*.</param>
    /// <param name="stopOnWarning">Whether damaged data ends the decoding.</param>
    /// <returns>
    /// null, or a complaint and whether warnings were among the complaints: its text is the fatal error's if there was one, else the first
    /// warning's.
    /// </returns>
    public static (string Text, bool Warned)? Decode(
        Handle handle, ReadOnlySpan<byte> file, Span<byte> pixels, (int Width, int Height) size, int format, bool stopOnWarning)
    {
        fixed (byte* bytes = file)
        fixed (byte* target = pixels)
        {
            int status = tjDecompress2(
                handle, bytes, new CULong((nuint)file.Length), target, size.Width, pixels.Length / size.Height, size.Height, format,
                AccurateDct | LimitScans | (stopOnWarning ? StopOnWarning : 0));
            return status == 0 ? null : (Message(handle), tjGetErrorCode(handle) == ErrorWarning);
        }
    }

    public static string Message(Handle handle) => Marshal.PtrToStringUTF8((nint)tjGetErrorStr2(handle)) ?? "unknown error";

    /// <summary>Owns a decompressor.</summary>
    public sealed class Handle : SafeHandle
    {
        internal Handle(nint handle)
            : base(0, ownsHandle: true) => SetHandle(handle);

        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle() => tjDestroy(handle) == 0;
    }
}
