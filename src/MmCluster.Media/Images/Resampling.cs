namespace MmCluster.Media.Images;

/// <summary>Resampling filters. The numbers are Pillow's, which preprocessor_config.json uses as <c>resample</c>.</summary>
public enum Resampling
{
    /// <summary>The nearest pixel; no antialiasing.</summary>
    Nearest = 0,

    /// <summary>Windowed sinc over 3 pixels a side.</summary>
    Lanczos = 1,

    /// <summary>Triangle over 1 pixel a side.</summary>
    Bilinear = 2,

    /// <summary>Keys' cubic with a = -0.5 over 2 pixels a side.</summary>
    Bicubic = 3,

    /// <summary>Mean of the covered pixels.</summary>
    Box = 4,

    /// <summary>Hamming window over 1 pixel a side.</summary>
    Hamming = 5,
}
