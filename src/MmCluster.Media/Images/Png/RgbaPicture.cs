namespace MmCluster.Media.Images.Png;

/// <summary>A picture with transparency. Immutable.</summary>
public sealed class RgbaPicture
{
    private readonly byte[] _pixels;

    internal RgbaPicture(int width, int height, byte[] pixels) => (Width, Height, _pixels) = (width, height, pixels);

    /// <summary>Pixels a row.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>[height, width, 4]: red, green, blue, and straight alpha of 0 (transparent) to 255.</summary>
    public ReadOnlySpan<byte> Pixels => _pixels;
}
