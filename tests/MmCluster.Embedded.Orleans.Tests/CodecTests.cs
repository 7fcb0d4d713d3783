using System.Collections.Immutable;
using System.Net;
using Orleans;
using Orleans.Runtime;
using Orleans.Serialization;

namespace MmCluster.Embedded.Orleans.Tests;

/// <summary>Values are read as they were written; what cannot be read is an error and nothing else.</summary>
public sealed class CodecTests
{
    public static TheoryData<object> Values =>
    [
        true, (byte)255, (sbyte)-1, short.MinValue, ushort.MaxValue, int.MinValue, uint.MaxValue, long.MinValue, ulong.MaxValue, 'ß', 1.5f, double.NaN, 12.34m, (Half)0.5,
        Int128.MinValue, "text", "", Guid.Parse("0f8fad5b-d9cb-469f-a165-70867728950e"), new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc),
        new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.FromHours(2)), TimeSpan.FromTicks(5), new DateOnly(2026, 1, 2), new TimeOnly(3, 4), new Uri("http://a/b"), new Version(1, 2, 3),
        IPAddress.Loopback, new IPEndPoint(IPAddress.IPv6Loopback, 80), DayOfWeek.Friday, (1, "a"), KeyValuePair.Create(1, "a"),
        SiloAddress.New(IPAddress.Loopback, 1, 2), GrainId.Create("a", "b"),
    ];

    [Theory, MemberData(nameof(Values))]
    public void Values_come_back_equal(object value) => Assert.Equal(value, RoundTrip<object>(value));

    [Fact]
    public void Collections_come_back_equal()
    {
        Assert.Equal([1, 2], RoundTrip<int[]>([1, 2]));
        Assert.Equal(new string?[] { null, "a" }.AsEnumerable(), RoundTrip<string?[]>([null, "a"]));
        Assert.Equal([1.5, null], RoundTrip<List<double?>>([1.5, null]));
        Assert.Equal(new Dictionary<string, int[]> { ["a"] = [1] }, RoundTrip(new Dictionary<string, int[]> { ["a"] = [1] }));
        Assert.Equal<int>([1, 2], RoundTrip<ImmutableArray<int>>([1, 2]));
        Assert.True(RoundTrip(default(ImmutableArray<int>)).IsDefault);
        Assert.Equal([1, 2], RoundTrip<ImmutableList<int>>([1, 2]));
        Assert.Equal([1, 2], RoundTrip<IReadOnlyList<int>>([1, 2]));
        Assert.Equal(ImmutableDictionary<string, string>.Empty.Add("a", "b"), RoundTrip(ImmutableDictionary<string, string>.Empty.Add("a", "b")));
        Assert.Equal(new byte[] { 1 }, RoundTrip<ReadOnlyMemory<byte>>(new byte[] { 1 }).ToArray());
        Assert.Null(RoundTrip<List<int>?>(null));
    }

    [Fact]
    public void An_error_of_several_keeps_them_all()
    {
        AggregateException back = RoundTrip(new AggregateException("several", new InvalidOperationException("one"), new TimeoutException("two")));
        Assert.Equal(["one", "two"], back.InnerExceptions.Select(error => error.Message));
        Assert.IsType<TimeoutException>(back.InnerExceptions[1]);
        Assert.Contains("several", back.Message, StringComparison.Ordinal);
        Assert.NotEmpty(back.ToString());
    }

    [Fact]
    public void Identity_and_cycles_are_kept()
    {
        Node node = new() { Value = 1 };
        node.Next = node;
        node.Others = [node, new Node { Value = 2, Next = node }];
        Node back = RoundTrip(node);
        Assert.Same(back, back.Next);
        Assert.Same(back, back.Others[0]);
        Assert.Same(back, back.Others[1].Next);
        Assert.Equal(2, back.Others[1].Value);
    }

    [Fact]
    public void An_older_reader_skips_what_it_does_not_know()
    {
        NewMessage written = new() { Name = "n", Added = new Node { Value = 9, Next = new Node() }, More = [new Node()], Last = 4 };
        OldMessage read = Read<OldMessage>(Write(written));
        Assert.Equal("n", read.Name);
        Assert.Equal(4, read.Last);
    }

    [Fact]
    public void A_newer_reader_fills_in_defaults()
    {
        NewMessage read = Read<NewMessage>(Write(new OldMessage { Name = "n", Last = 4 }));
        Assert.Equal("n", read.Name);
        Assert.Equal(4, read.Last);
        Assert.Null(read.Added);
    }

    [Fact]
    public void A_base_class_has_ids_of_its_own()
    {
        Derived back = Assert.IsType<Derived>(RoundTrip<Base>(new Derived { A = 1, B = 2 }));
        Assert.Equal((1, 2), (back.A, back.B));
    }

    [Fact]
    public void A_type_without_a_serializer_is_named_in_the_error()
    {
        NotSupportedException error = Assert.Throws<NotSupportedException>(() => Write<object>(new CodecTests()));
        Assert.Contains(nameof(CodecTests), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_never_loads_a_type_that_is_no_message()
    {
        MessageWriter writer = MessageWriter.Rent();
        writer.WriteHeader(0, WireType.Object);
        writer.WriteByte(2);
        writer.WriteText("System.IO.FileInfo");
        writer.WriteEnd();
        byte[] bytes = writer.Written.ToArray();
        writer.Return();
        Assert.Throws<InvalidDataException>(() => Read<object>(bytes));
    }

    [Fact]
    public void Damaged_bytes_are_an_error_and_nothing_else()
    {
        Node node = new() { Value = 1, Others = [new Node(), new Node { Value = 3 }] };
        byte[] good = Write(new NewMessage { Name = "name", Added = node, More = [node] });
        Random random = new(5);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bad = (byte[])good.Clone();
            for (int j = random.Next(1, 5); j > 0; j--)
            {
                bad[random.Next(bad.Length)] = (byte)random.Next(256);
            }
            try
            {
                Read<NewMessage>(bad.AsSpan(0, random.Next(1, bad.Length + 1)).ToArray());
            }
            catch (Exception error)
            {
                Assert.True(error is InvalidDataException or NotSupportedException, error.ToString());
            }
        }
    }

    [Fact]
    public void Copies_share_nothing_that_can_change()
    {
        Node node = new() { Value = 1, Others = [new Node()] };
        node.Next = node;
        CopyContext context = CopyContext.Rent();
        Node copy = Codecs<Node>.Copy(node, context);
        context.Return();
        Assert.NotSame(node, copy);
        Assert.NotSame(node.Others, copy.Others);
        Assert.NotSame(node.Others[0], copy.Others[0]);
        Assert.Same(copy, copy.Next);
    }

    private static T RoundTrip<T>(T value) => Read<T>(Write(value));

    private static byte[] Write<T>(T value)
    {
        MessageWriter writer = MessageWriter.Rent();
        try
        {
            Codecs<T>.Instance.Write(writer, 0, value);
            return writer.Written.ToArray();
        }
        finally
        {
            writer.Return();
        }
    }

    private static T Read<T>(byte[] bytes)
    {
        MessageReader reader = MessageReader.Rent(bytes, 0, bytes.Length);
        try
        {
            return Codecs<T>.Instance.Read(reader, reader.ReadHeader(out _));
        }
        finally
        {
            reader.Return();
        }
    }

    [GenerateSerializer, Alias("tests.Node")]
    public sealed class Node
    {
        [Id(0)]
        public int Value { get; set; }

        [Id(1)]
        public Node? Next { get; set; }

        [Id(2)]
        public List<Node> Others { get; set; } = [];
    }

    [GenerateSerializer, Alias("tests.OldMessage")]
    public sealed class OldMessage
    {
        [Id(0)]
        public string Name { get; set; } = "";

        [Id(5)]
        public int Last { get; set; }
    }

    [GenerateSerializer, Alias("tests.NewMessage")]
    public sealed class NewMessage
    {
        [Id(0)]
        public string Name { get; set; } = "";

        [Id(1)]
        public Node? Added { get; set; }

        [Id(2)]
        public Node[] More { get; set; } = [];

        [Id(5)]
        public int Last { get; set; }
    }

    [GenerateSerializer, Alias("tests.Base")]
    public abstract class Base
    {
        [Id(0)]
        public int A { get; set; }
    }

    [GenerateSerializer, Alias("tests.Derived")]
    public sealed class Derived : Base
    {
        [Id(0)]
        public int B { get; set; }
    }
}
