using Orleans.Serialization;

namespace MmCluster.Embedded.Orleans.Tests;

/// <summary>Objects in objects: as deep as is said, and an error instead of an overflowing stack beyond.</summary>
public sealed class NestingTests
{
    [Fact]
    public void The_deepest_message_passes()
    {
        CodecTests.Node node = Chain(Nesting.Max);
        CodecTests.Node back = Read(Write(node));
        Assert.Equal(Nesting.Max, Length(back));
        Assert.Equal(Nesting.Max, Length(Copy(node)));
    }

    [Fact]
    public void One_deeper_is_an_error_that_says_what_to_do()
    {
        CodecTests.Node node = Chain(Nesting.Max + 1);
        Assert.Contains("list", Assert.Throws<InvalidDataException>(() => Write(node)).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidDataException>(() => Copy(node));
        Write(Chain(2)); // the writer of this thread is as it was
    }

    [Fact]
    public void Bytes_that_never_stop_nesting_are_an_error()
    {
        byte[] bytes = new byte[200_000];
        for (int i = 0; i < bytes.Length; i += 2)
        {
            bytes[i] = (1 << 3) | (byte)WireType.Object; // Next, of the declared type
        }
        Assert.Throws<InvalidDataException>(() => Read(bytes));
    }

    private static CodecTests.Node Chain(int length)
    {
        CodecTests.Node first = new() { Others = null! };
        for (int i = 1; i < length; i++)
        {
            first = new CodecTests.Node { Next = first, Others = null! };
        }
        return first;
    }

    private static int Length(CodecTests.Node? node)
    {
        int length = 0;
        for (; node is not null; node = node.Next)
        {
            length++;
        }
        return length;
    }

    private static byte[] Write(CodecTests.Node node)
    {
        MessageWriter writer = MessageWriter.Rent();
        try
        {
            Codecs<CodecTests.Node>.Instance.Write(writer, 0, node);
            return writer.Written.ToArray();
        }
        finally
        {
            writer.Return();
        }
    }

    private static CodecTests.Node Read(byte[] bytes)
    {
        MessageReader reader = MessageReader.Rent(bytes, 0, bytes.Length);
        try
        {
            return Codecs<CodecTests.Node>.Instance.Read(reader, reader.ReadHeader(out _));
        }
        finally
        {
            reader.Return();
        }
    }

    private static CodecTests.Node Copy(CodecTests.Node node)
    {
        CopyContext context = CopyContext.Rent();
        try
        {
            return Codecs<CodecTests.Node>.Copy(node, context);
        }
        finally
        {
            context.Return();
        }
    }
}
