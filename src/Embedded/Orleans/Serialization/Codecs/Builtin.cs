using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Numerics;
using Orleans.Runtime;

namespace Orleans.Serialization.Codecs;

/// <summary>The types that need no annotation.</summary>
internal static class Builtin
{
    // One row a collection: its definition and how to make it from its elements.
    private static readonly Dictionary<Type, string> FrozenMakers = new()
    {
        [typeof(ImmutableList<>)] = nameof(MakeList),
        [typeof(ImmutableHashSet<>)] = nameof(MakeSet),
        [typeof(ImmutableDictionary<,>)] = nameof(MakeDictionary),
    };

    public static IEnumerable<Type> FrozenDefinitions => FrozenMakers.Keys;

    public static bool IsBlock(Type type) =>
        type.IsPrimitive && type != typeof(bool) && type != typeof(nint) && type != typeof(nuint) || type == typeof(Half);

    public static void AddTo(Dictionary<Type, Func<Codec>> exact, Dictionary<Type, Type> generic)
    {
        AddNumbers(exact);
        AddValues(exact);
        AddIds(exact);
        generic[typeof(Nullable<>)] = typeof(NullableCodec<>);
        generic[typeof(List<>)] = typeof(ListCodec<>);
        generic[typeof(HashSet<>)] = typeof(HashSetCodec<>);
        generic[typeof(Dictionary<,>)] = typeof(DictionaryCodec<,>);
        generic[typeof(KeyValuePair<,>)] = typeof(KeyValuePairCodec<,>);
        generic[typeof(ValueTuple<,>)] = typeof(ValueTupleCodec<,>);
        generic[typeof(ValueTuple<,,>)] = typeof(ValueTupleCodec<,,>);
        generic[typeof(ImmutableArray<>)] = typeof(ImmutableArrayCodec<>);
        generic[typeof(Memory<>)] = typeof(MemoryCodec<>);
        generic[typeof(ReadOnlyMemory<>)] = typeof(ReadOnlyMemoryCodec<>);
    }

    public static Codec? Frozen(Type definition, Type[] arguments) =>
        FrozenMakers.TryGetValue(definition, out string? maker)
            ? (Codec)typeof(Builtin).GetMethod(maker)!.MakeGenericMethod(arguments).Invoke(null, null)!
            : null;

    public static Codec MakeList<T>() => new FrozenCodec<ImmutableList<T>, T>(items => [.. items]);

    public static Codec MakeSet<T>() => new FrozenCodec<ImmutableHashSet<T>, T>(items => [.. items]);

    public static Codec MakeDictionary<TKey, TValue>()
        where TKey : notnull =>
        new FrozenCodec<ImmutableDictionary<TKey, TValue>, KeyValuePair<TKey, TValue>>(
            items => ImmutableDictionary<TKey, TValue>.Empty.SetItems(items));

    private static void AddNumbers(Dictionary<Type, Func<Codec>> exact)
    {
        exact[typeof(bool)] = static () => new VarintCodec<bool>();
        exact[typeof(byte)] = static () => new VarintCodec<byte>();
        exact[typeof(sbyte)] = static () => new VarintCodec<sbyte>();
        exact[typeof(short)] = static () => new VarintCodec<short>();
        exact[typeof(ushort)] = static () => new VarintCodec<ushort>();
        exact[typeof(int)] = static () => new VarintCodec<int>();
        exact[typeof(uint)] = static () => new VarintCodec<uint>();
        exact[typeof(long)] = static () => new VarintCodec<long>();
        exact[typeof(ulong)] = static () => new VarintCodec<ulong>();
        exact[typeof(char)] = static () => new VarintCodec<char>();
        exact[typeof(float)] = static () => new SingleCodec();
        exact[typeof(double)] = static () => new DoubleCodec();
        exact[typeof(Half)] = static () => new BlittableCodec<Half>();
        exact[typeof(decimal)] = static () => new BlittableCodec<decimal>();
        exact[typeof(Int128)] = static () => new BlittableCodec<Int128>();
        exact[typeof(UInt128)] = static () => new BlittableCodec<UInt128>();
        exact[typeof(BigInteger)] = static () => Text<BigInteger>(
            value => value.ToString(CultureInfo.InvariantCulture), text => BigInteger.Parse(text, CultureInfo.InvariantCulture));
    }

    private static void AddValues(Dictionary<Type, Func<Codec>> exact)
    {
        exact[typeof(string)] = static () => new StringCodec();
        exact[typeof(Guid)] = static () => new BlittableCodec<Guid>();
        exact[typeof(DateTime)] = static () => new Int64Codec<DateTime>(value => value.ToBinary(), DateTime.FromBinary);
        exact[typeof(TimeSpan)] = static () => new Int64Codec<TimeSpan>(value => value.Ticks, ticks => new TimeSpan(ticks));
        exact[typeof(DateOnly)] = static () => new Int64Codec<DateOnly>(value => value.DayNumber, day => DateOnly.FromDayNumber(ToInt32(day)));
        exact[typeof(TimeOnly)] = static () => new Int64Codec<TimeOnly>(value => value.Ticks, ticks => new TimeOnly(ticks));
        exact[typeof(DateTimeOffset)] = static () => new DateTimeOffsetCodec();
        exact[typeof(Uri)] = static () => Text<Uri>(value => value.OriginalString, text => new Uri(text, UriKind.RelativeOrAbsolute));
        exact[typeof(Version)] = static () => Text<Version>(value => value.ToString(), Version.Parse);
        exact[typeof(IPAddress)] = static () => Text<IPAddress>(value => value.ToString(), IPAddress.Parse);
        exact[typeof(IPEndPoint)] = static () => Text<IPEndPoint>(value => value.ToString(), IPEndPoint.Parse);
    }

    private static void AddIds(Dictionary<Type, Func<Codec>> exact)
    {
        exact[typeof(SiloAddress)] = static () => Text<SiloAddress>(value => value.ToParsableString(), SiloAddress.FromParsableString);
        exact[typeof(IdSpan)] = static () => Text<IdSpan>(value => value.IsDefault ? null : value.ToString(), IdSpan.Create);
        exact[typeof(GrainType)] = static () => Text<GrainType>(value => value.IsDefault ? null : value.ToString(), GrainType.Create);
        exact[typeof(GrainId)] = static () => Text<GrainId>(value => value.IsDefault ? null : value.ToString(), GrainId.Parse);
        exact[typeof(ActivationId)] = static () => new BlittableCodec<ActivationId>();
        exact[typeof(MembershipVersion)] = static () => new Int64Codec<MembershipVersion>(value => value.Value, value => new MembershipVersion(value));
    }

    private static TextCodec<T> Text<T>(Func<T, string?> to, Func<string, T> from) => new(to, from);

    private static int ToInt32(long value) =>
        value is >= int.MinValue and <= int.MaxValue ? (int)value : throw new ArgumentOutOfRangeException(nameof(value));
}
