using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Orleans.Runtime;

namespace Orleans;

/// <summary>Keys and casts of grain references.</summary>
public static class GrainExtensions
{
    /// <summary>A reference to <paramref name="grain"/>, which may be a grain itself (<c>this</c>), as another interface.</summary>
    public static TGrainInterface AsReference<TGrainInterface>(this IAddressable grain)
    {
        GrainReference reference = Reference(grain);
        return (TGrainInterface)(object)reference.Runtime.References.Create(reference.GrainId, typeof(TGrainInterface));
    }

    /// <summary>The reference as another interface of the same grain.</summary>
    public static TGrainInterface Cast<TGrainInterface>(this IAddressable grain) => grain.AsReference<TGrainInterface>();

    /// <summary>The id of the grain.</summary>
    public static GrainId GetGrainId(this IAddressable grain) => Reference(grain).GrainId;

    /// <summary>The key, a number.</summary>
    /// <exception cref="InvalidOperationException">The grain's key is something else.</exception>
    public static long GetPrimaryKeyLong(this IAddressable grain) => grain.GetPrimaryKeyLong(out _);

    /// <summary>The key, a number, and the text behind it.</summary>
    /// <exception cref="InvalidOperationException">The grain's key is something else.</exception>
    public static long GetPrimaryKeyLong(this IAddressable grain, out string? keyExt)
    {
        GrainId id = grain.GetGrainId();
        ReadOnlySpan<byte> key = GrainKeys.Split(id.Key.AsSpan(), out keyExt);
        return Utf8Parser.TryParse(key, out long value, out int used, 'X') && used == key.Length
            ? value
            : throw new InvalidOperationException($"the key of {id} is no number.");
    }

    /// <summary>The key, a <see cref="Guid"/>.</summary>
    /// <exception cref="InvalidOperationException">The grain's key is something else.</exception>
    public static Guid GetPrimaryKey(this IAddressable grain) => grain.GetPrimaryKey(out _);

    /// <summary>The key, a <see cref="Guid"/>, and the text behind it.</summary>
    /// <exception cref="InvalidOperationException">The grain's key is something else.</exception>
    public static Guid GetPrimaryKey(this IAddressable grain, out string? keyExt)
    {
        GrainId id = grain.GetGrainId();
        ReadOnlySpan<byte> key = GrainKeys.Split(id.Key.AsSpan(), out keyExt);
        return Utf8Parser.TryParse(key, out Guid value, out int used, 'N') && used == key.Length
            ? value
            : throw new InvalidOperationException($"the key of {id} is no Guid.");
    }

    /// <summary>The key, a text.</summary>
    public static string GetPrimaryKeyString(this IAddressable grain) => grain.GetGrainId().Key.ToString();

    private static GrainReference Reference(IAddressable grain) => grain switch
    {
        GrainReference reference => reference,
        IGrainBase itself => itself.GrainContext.GrainReference,
        _ => throw new ArgumentException($"{grain?.GetType()} is neither a grain nor a reference to one.", nameof(grain)),
    };
}

/// <summary>How keys are written in grain ids: numbers as hexadecimal, Guids as 32 digits, an extension behind a plus sign.</summary>
internal static class GrainKeys
{
    public static IdSpan Of(long key, string? extension = null) =>
        IdSpan.Create(WithExtension(key.ToString("X", CultureInfo.InvariantCulture), extension));

    public static IdSpan Of(Guid key, string? extension = null) => IdSpan.Create(WithExtension(key.ToString("N"), extension));

    public static IdSpan Of(string key)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(key);
        return IdSpan.Create(key);
    }

    public static ReadOnlySpan<byte> Split(ReadOnlySpan<byte> key, out string? extension)
    {
        int plus = key.IndexOf((byte)'+');
        extension = plus < 0 ? null : Encoding.UTF8.GetString(key[(plus + 1)..]);
        return plus < 0 ? key : key[..plus];
    }

    private static string WithExtension(string key, string? extension) => extension is null ? key : $"{key}+{extension}";
}
