using MmCluster.Media.Images;

namespace MmCluster.Media.Tests.Images;

internal static class Pictures
{
    public static Task<Picture> ReadAsync(string file) =>
        new PictureReader().ReadFileAsync(Vectors.PathOf(file), TestContext.Current.CancellationToken);

    public static Picture Random(int width, int height, int seed)
    {
        var picture = Picture.Allocate(width, height);
        new Random(seed).NextBytes(picture.Pixels);
        return picture;
    }
}
