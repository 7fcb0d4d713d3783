using System.Collections.Concurrent;
using System.Text;

namespace Orleans.Serialization;

/// <summary>Names of types on the wire. Only types known to this process's serializers have names: no name loads code.</summary>
/// <remarks>A name is an alias or full name, with arguments as <c>name&lt;a,b&gt;</c>; an array is <c>name[]</c>.</remarks>
internal static class TypeRegistry
{
    private const int MaxNameLength = 1024;
    private const int MaxConstructed = 8192;

    private static readonly ConcurrentDictionary<Type, string> Names = new();
    private static readonly ConcurrentDictionary<string, Type> Types = new(StringComparer.Ordinal);
    private static int _constructed;

    public static string NameOf(Type type) => Names.GetOrAdd(type, static type =>
    {
        string name = MakeName(type);
        Types.TryAdd(name, type);
        return name;
    });

    public static Type TypeOf(ReadOnlySpan<byte> name) =>
        TryTypeOf(name) ?? throw new InvalidDataException($"no type here is named '{Shorten(name)}'");

    public static Type? TryTypeOf(ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length is 0 or > MaxNameLength)
        {
            return null;
        }
        string name = Encoding.UTF8.GetString(utf8);
        if (Types.TryGetValue(name, out Type? known))
        {
            return known;
        }
        int position = 0;
        Type? type = Parse(name, ref position, 0);
        if (type is null || position != name.Length)
        {
            return null;
        }
        Types.TryAdd(name, type);
        return type;
    }

    private static string MakeName(Type type)
    {
        if (type.IsArray)
        {
            return type.GetArrayRank() == 1 ? $"{NameOf(type.GetElementType()!)}[]"
                : throw new NotSupportedException($"{type} has several dimensions; only arrays of one can be serialized.");
        }
        if (!type.IsConstructedGenericType)
        {
            return CodecRegistry.SimpleNameOf(type);
        }
        string definition = CodecRegistry.SimpleNameOf(type.GetGenericTypeDefinition());
        return $"{definition}<{string.Join(',', type.GetGenericArguments().Select(NameOf))}>";
    }

    private static Type? Parse(string name, ref int position, int depth)
    {
        int start = position;
        int end = name.AsSpan(position).IndexOfAny("<>,[");
        end = end < 0 ? name.Length : position + end;
        Type? type = CodecRegistry.TypeBySimpleName(name[position..end]);
        position = end;
        if (type is null || depth > 8)
        {
            return null;
        }
        if (position < name.Length && name[position] == '<')
        {
            List<Type> arguments = [];
            do
            {
                position++;
                if (Parse(name, ref position, depth + 1) is not { } argument || position >= name.Length)
                {
                    return null;
                }
                arguments.Add(argument);
            }
            while (name[position] == ',');
            if (name[position++] != '>' || !type.IsGenericTypeDefinition || type.GetGenericArguments().Length != arguments.Count)
            {
                return null;
            }
            type = Construct(name[start..position], type, arguments, static (definition, arguments) => TryMakeGeneric(definition, arguments!));
        }
        if (type is { IsGenericTypeDefinition: true })
        {
            return null;
        }
        while (type is not null && name.AsSpan(position).StartsWith("[]"))
        {
            position += 2;
            type = Construct(name[start..position], type, null, static (element, _) => element.MakeArrayType());
        }
        return type;
    }

    // A peer may name endless types, and none that is made is ever freed: only so many are made for peers.
    private static Type? Construct(string name, Type from, List<Type>? arguments, Func<Type, List<Type>?, Type?> make)
    {
        if (Types.TryGetValue(name, out Type? known))
        {
            return known;
        }
        if (Volatile.Read(ref _constructed) >= MaxConstructed || make(from, arguments) is not { } made)
        {
            return null;
        }
        if (Types.TryAdd(name, made))
        {
            Interlocked.Increment(ref _constructed);
        }
        return made;
    }

    private static Type? TryMakeGeneric(Type definition, List<Type> arguments)
    {
        try
        {
            return definition.MakeGenericType([.. arguments]);
        }
        catch (ArgumentException) // a constraint is not met
        {
            return null;
        }
    }

    private static string Shorten(ReadOnlySpan<byte> name) => Encoding.UTF8.GetString(name[..Math.Min(name.Length, 200)]);
}
