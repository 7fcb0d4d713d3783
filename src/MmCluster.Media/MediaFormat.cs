namespace MmCluster.Media;

/// <summary>A container or file format, told by its first bytes.</summary>
public enum MediaFormat
{
    /// <summary>None of the known ones.</summary>
    Unknown,

    /// <summary>Portable Network Graphics, animated ones included (their default image counts).</summary>
    Png,

    /// <summary>Windows and OS/2 bitmap.</summary>
    Bmp,

    /// <summary>JPEG, baseline or progressive.</summary>
    Jpeg,

    /// <summary>WebP, lossy or lossless.</summary>
    WebP,

    /// <summary>Graphics Interchange Format; the first frame counts.</summary>
    Gif,

    /// <summary>Tagged Image File Format; the first page counts.</summary>
    Tiff,

    /// <summary>AV1 still picture in an ISO container.</summary>
    Avif,

    /// <summary>JPEG 2000, code stream or JP2 file.</summary>
    Jpeg2000,

    /// <summary>Portable pixmap, greymap or bitmap, binary or plain (P1 to P6).</summary>
    Pnm,

    /// <summary>Quite OK Image.</summary>
    Qoi,
}
