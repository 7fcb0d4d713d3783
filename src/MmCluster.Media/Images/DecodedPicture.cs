namespace MmCluster.Media.Images;

/// <summary>What a format's decoder hands on: the pixels as stored, and how the camera was held.</summary>
/// <param name="Picture">The pixels; the receiver disposes it.</param>
/// <param name="Orientation">EXIF orientation, 1 (upright) to 8.</param>
internal readonly record struct DecodedPicture(Picture Picture, int Orientation);
