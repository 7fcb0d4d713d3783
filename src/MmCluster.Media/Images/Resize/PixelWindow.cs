namespace MmCluster.Media.Images.Resize;

/// <summary>A rectangle of a picture.</summary>
/// <param name="X">First column.</param>
/// <param name="Y">First row.</param>
/// <param name="Width">Columns.</param>
/// <param name="Height">Rows.</param>
internal readonly record struct PixelWindow(int X, int Y, int Width, int Height);
