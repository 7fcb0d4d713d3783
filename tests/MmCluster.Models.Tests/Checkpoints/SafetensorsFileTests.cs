using MmCluster.Models.Checkpoints;

namespace MmCluster.Models.Tests.Checkpoints;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Tensors_are_read_with_their_shapes_and_values()
    {
        string path = _folder.Write("model.safetensors", SafetensorsWriter.F32(("a", [2, 3], [1, 2, 3, 4, 5, 6]), ("b.c", [], [7])));

        using Checkpoint checkpoint = Checkpoint.Open(_folder.Path);

        Assert.Equal([path], checkpoint.Files);
        Assert.Equal([2L, 3L], checkpoint.Tensors["a"].Shape);
        Assert.Equal([3f, 4f, 5f], Values(checkpoint.Tensors["a"], 2, 3));
        Assert.Equal([7f], Values(checkpoint.Tensors["b.c"], 0, 1));
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 4, "truncated")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 12, "follows the last tensor")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "needs 12 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}""", 6, "overlap")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}""", 12, "gap")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "twice")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", 4, "whole number")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,4611686018427387904],"data_offsets":[0,4]}}""", 4, "overflow")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}""", 4, "give -4")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1]}}""", 4, "lacks")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}""", 4, "not JSON")]
    [InlineData("[]", 0, "not a JSON object")]
    [InlineData("""{"a":5}""", 0, "not an object")]
    public void A_header_that_lies_is_refused(string header, int dataBytes, string reason)
    {
        string path = _folder.Write("model.safetensors", SafetensorsWriter.WithHeader(header, dataBytes));

        var error = Assert.Throws<InvalidDataException>(() => Checkpoint.Open(path));

        Assert.StartsWith(path, error.Message);
        Assert.Contains(reason, error.Message);
    }

    [Fact]
    public void An_unknown_element_type_is_named_with_the_known_ones()
    {
        string path = _folder.Write("model.safetensors", SafetensorsWriter.WithHeader("""{"w":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}""", 1));
        var error = Assert.Throws<NotSupportedException>(() => Checkpoint.Open(path));
        Assert.Contains("'w' has dtype F8_E4M3; known: F64", error.Message);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(40)]
    [InlineData(-1)]
    public void A_file_cut_off_anywhere_is_refused(int keep)
    {
        byte[] whole = SafetensorsWriter.F32(("a", [2, 3], [1, 2, 3, 4, 5, 6]));
        string path = _folder.Write("model.safetensors", whole[..(keep < 0 ? whole.Length - 1 : keep)]);
        var error = Assert.Throws<InvalidDataException>(() => Checkpoint.Open(path));
        Assert.StartsWith(path, error.Message);
    }

    [Fact]
    public void A_huge_header_size_is_refused_before_anything_is_allocated()
    {
        byte[] file = new byte[64];
        BitConverter.TryWriteBytes(file, long.MaxValue);
        string path = _folder.Write("model.safetensors", file);
        var error = Assert.Throws<InvalidDataException>(() => Checkpoint.Open(path));
        Assert.Contains("header claims 9223372036854775807 bytes", error.Message);
    }

    [Fact]
    public void Shards_are_joined_by_their_index()
    {
        _folder.Write("one.safetensors", SafetensorsWriter.F32(("a", [1], [1])));
        _folder.Write("two.safetensors", SafetensorsWriter.F32(("b", [1], [2])));
        _folder.Write("model.safetensors.index.json", """{"metadata":{},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}""");

        using Checkpoint checkpoint = Checkpoint.Open(_folder.Path);

        Assert.Equal(["a", "b"], checkpoint.Tensors.Keys.Order());
        Assert.Equal([2f], Values(checkpoint.Tensors["b"], 0, 1));
    }

    [Theory]
    [InlineData("""{"weight_map":{"a":"../one.safetensors"}}""", "no file name of this folder")]
    [InlineData("""{"weight_map":{"a":"gone.safetensors"}}""", "gone.safetensors: missing")]
    [InlineData("""{"weight_map":{"z":"one.safetensors"}}""", "'z' is not in it")]
    [InlineData("""{"weights":{}}""", "not an index")]
    public void An_index_that_lies_is_refused(string index, string reason)
    {
        _folder.Write("one.safetensors", SafetensorsWriter.F32(("a", [1], [1])));
        _folder.Write("model.safetensors.index.json", index);
        var error = Assert.ThrowsAny<Exception>(() => Checkpoint.Open(_folder.Path));
        Assert.Contains(reason, error.Message);
    }

    [Fact]
    public void A_folder_without_a_checkpoint_says_what_it_looked_for()
    {
        var error = Assert.Throws<FileNotFoundException>(() => Checkpoint.Open(_folder.Path));
        Assert.Contains("model.safetensors", error.Message);
    }

    private static float[] Values(StoredTensor tensor, long first, int count)
    {
        float[] values = new float[count];
        tensor.Read(first, values);
        return values;
    }
}
