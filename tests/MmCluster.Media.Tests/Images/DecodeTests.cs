using System.Text.Json;
using MmCluster.Media.Images;

namespace MmCluster.Media.Tests.Images;

public sealed class DecodeTests
{
    public static TheoryData<string> Files => [.. Vectors.Section("decode").Select(vector => vector.GetProperty("file").GetString()!)];

    [Theory, MemberData(nameof(Files))]
    public async Task Every_reference_picture_decodes_to_the_pixels_that_Pillow_decodes(string file)
    {
        JsonElement vector = Vectors.Section("decode").Single(vector => vector.GetProperty("file").GetString() == file);
        using Picture picture = await new PictureReader().ReadFileAsync(Vectors.PathOf(file), TestContext.Current.CancellationToken);
        Assert.Equal((vector.GetProperty("width").GetInt32(), vector.GetProperty("height").GetInt32()), (picture.Width, picture.Height));
        Assert.Equal(vector.GetProperty("sha256").GetString(), Vectors.Sha(picture.Pixels));
    }
}
