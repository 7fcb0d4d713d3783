using System.Numerics;
using MmCluster.Models.Checkpoints;

namespace MmCluster.Models.Tests.Checkpoints;

public sealed class TorchFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_zip_checkpoint_is_read_with_views_strides_and_parameters()
    {
        PickleWriter pickle = new();
        pickle.Op('}').Op('(')
            .Text("whole").Tensor("FloatStorage", "0", 6, 0, [2, 3], [3, 1])
            .Text("transposed").Tensor("FloatStorage", "0", 6, 0, [3, 2], [1, 3])
            .Text("tail").Tensor("FloatStorage", "0", 6, 4, [2], [1])
            .Text("parameter").Global("torch._utils", "_rebuild_parameter").Op('(')
                .Tensor("FloatStorage", "0", 6, 0, [1], [1]).Bytes(0x88).Global("collections", "OrderedDict").Op(')').Op('R').Op('t').Op('R')
            .Text("step").Number(5)
            .Op('u');
        string path = _folder.Write("pytorch_model.bin", PickleWriter.Archive(pickle.End(), ("0", PickleWriter.Floats(1, 2, 3, 4, 5, 6))));

        using Checkpoint checkpoint = Checkpoint.Open(_folder.Path);

        Assert.Equal([path], checkpoint.Files);
        Assert.Equal(["parameter", "tail", "transposed", "whole"], checkpoint.Tensors.Keys.Order());
        Assert.Equal([1f, 2, 3, 4, 5, 6], Values(checkpoint, "whole"));
        Assert.Equal([1f, 4, 2, 5, 3, 6], Values(checkpoint, "transposed"));
        Assert.Equal([5f, 6], Values(checkpoint, "tail"));
        Assert.Equal([1f], Values(checkpoint, "parameter"));
    }

    [Fact]
    public void Nested_dictionaries_become_dotted_keys()
    {
        PickleWriter pickle = new();
        pickle.Op('}').Op('(').Text("model").Op('}').Op('(').Text("w").Tensor("BFloat16Storage", "0", 1, 0, [1], [1]).Op('u').Text("epoch").Number(1).Op('u');
        string path = _folder.Write("a.pth", PickleWriter.Archive(pickle.End(), ("0", [0x80, 0x3f])));
        using Checkpoint checkpoint = Checkpoint.Open(path);
        Assert.Equal([1f], Values(checkpoint, "model.w"));
    }

    [Fact]
    public void The_legacy_format_is_read()
    {
        PickleWriter root = new();
        root.Op('}').Op('(').Text("a").Tensor("FloatStorage", "140", 2, 0, [2], [1], legacy: true)
            .Text("b").Tensor("LongStorage", "141", 1, 0, [1], [1], legacy: true).Op('u');
        byte[] magic = BigInteger.Parse("119547037146038801333356").ToByteArray();
        byte[] file =
        [
            .. new PickleWriter().Bytes(0x8a, (byte)magic.Length).Bytes(magic).End(),
            .. new PickleWriter().Number(1001).End(),
            .. new PickleWriter().Op('}').Op('(').Text("little_endian").Bytes(0x88).Op('u').End(),
            .. root.End(),
            .. new PickleWriter().Op(']').Op('(').Text("140").Text("141").Op('e').End(),
            .. BitConverter.GetBytes(2L), .. PickleWriter.Floats(3, 4),
            .. BitConverter.GetBytes(1L), .. BitConverter.GetBytes(9L),
        ];
        string path = _folder.Write("legacy.pt", file);

        using (Checkpoint checkpoint = Checkpoint.Open(path))
        {
            Assert.Equal([3f, 4f], Values(checkpoint, "a"));
            Assert.Equal([9L], checkpoint.Tensors["b"].ReadIntegers());
        }

        string cut = _folder.Write("cut.pt", file[..^9]);
        Assert.Contains("truncated", Assert.Throws<InvalidDataException>(() => Checkpoint.Open(cut)).Message);
    }

    [Theory]
    [InlineData("os", "system")]
    [InlineData("posix", "system")]
    [InlineData("builtins", "eval")]
    [InlineData("torch", "load")]
    [InlineData("collections", "defaultdict")]
    [InlineData("numpy", "fromfile")]
    public void A_pickle_that_names_anything_else_is_refused_by_name(string module, string name)
    {
        byte[] pickle = new PickleWriter().Global(module, name).Op('(').Text("touch /tmp/owned").Op('t').Op('R').End();
        string path = _folder.Write("pytorch_model.bin", PickleWriter.Archive(pickle));

        var error = Assert.Throws<InvalidDataException>(() => Checkpoint.Open(_folder.Path));

        Assert.StartsWith(path, error.Message);
        Assert.Contains($"{module}.{name}", error.Message);
        Assert.Contains("refused", error.Message);
    }

    [Fact]
    public void Names_put_together_on_the_stack_are_refused_too()
    {
        byte[] pickle = new PickleWriter().Text("os").Text("system").Bytes(0x93).End();
        string path = _folder.Write("a.bin", PickleWriter.Archive(pickle));
        Assert.Contains("os.system", Assert.Throws<InvalidDataException>(() => Checkpoint.Open(path)).Message);
    }

    [Theory]
    [InlineData(0, new[] { 7 }, new[] { 1 })] // longer than the storage
    [InlineData(3, new[] { 4 }, new[] { 1 })] // offset too far
    [InlineData(0, new[] { 2, 2 }, new[] { 1 << 30, 1 << 30 })] // strides too wide
    [InlineData(-1, new[] { 1 }, new[] { 1 })]
    [InlineData(0, new[] { 1 << 30, 1 << 30 }, new[] { 0, 0 })] // one element repeated without end
    public void A_view_outside_its_storage_is_refused(int offset, int[] shape, int[] strides)
    {
        PickleWriter pickle = new();
        pickle.Op('}').Op('(').Text("w").Tensor("FloatStorage", "0", 6, offset, shape, strides).Op('u');
        string path = _folder.Write("a.bin", PickleWriter.Archive(pickle.End(), ("0", PickleWriter.Floats(1, 2, 3, 4, 5, 6))));
        Assert.Contains("'w'", Assert.Throws<InvalidDataException>(() => Checkpoint.Open(path)).Message);
    }

    [Fact]
    public void Dictionaries_that_multiply_are_refused()
    {
        // Each level holds the one below 100 times: 100^8 entries from a few bytes.
        PickleWriter pickle = new();
        pickle.Op('}').Bytes((byte)'q', 0);
        for (byte level = 1; level <= 8; level++)
        {
            pickle.Op('}').Op('(');
            for (int i = 0; i < 100; i++)
            {
                pickle.Text($"{i}").Bytes((byte)'h', (byte)(level - 1));
            }
            pickle.Op('u').Bytes((byte)'q', level);
        }
        string path = _folder.Write("a.bin", PickleWriter.Archive(pickle.End()));
        Assert.Contains("dictionaries nest", Assert.Throws<InvalidDataException>(() => Checkpoint.Open(path)).Message);
    }

    [Fact]
    public void Every_truncation_of_an_archive_is_refused()
    {
        PickleWriter pickle = new();
        pickle.Op('}').Op('(').Text("w").Tensor("FloatStorage", "0", 2, 0, [2], [1]).Op('u');
        byte[] whole = PickleWriter.Archive(pickle.End(), ("0", PickleWriter.Floats(1, 2)));
        for (int length = 0; length < whole.Length; length += 7)
        {
            string path = _folder.Write("cut.bin", whole[..length]);
            Assert.Throws<InvalidDataException>(() => Checkpoint.Open(path));
        }
    }

    [Fact]
    public void Random_damage_never_escapes_as_anything_but_bad_data()
    {
        PickleWriter pickle = new();
        pickle.Op('}').Op('(').Text("w").Tensor("FloatStorage", "0", 2, 0, [2], [1]).Op('u');
        byte[] whole = PickleWriter.Archive(pickle.End(), ("0", PickleWriter.Floats(1, 2)));
        Random random = new(5);
        for (int round = 0; round < 500; round++)
        {
            byte[] damaged = [.. whole];
            for (int i = 0; i < 3; i++)
            {
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            }
            string path = _folder.Write("damaged.bin", damaged);
            Exception? error = Record.Exception(() => Checkpoint.Open(path).Dispose());
            Assert.True(error is null or InvalidDataException or NotSupportedException, error?.ToString());
        }
    }

    private static float[] Values(Checkpoint checkpoint, string key)
    {
        StoredTensor tensor = checkpoint.Tensors[key];
        float[] values = new float[tensor.ElementCount];
        tensor.Read(0, values);
        return values;
    }
}
