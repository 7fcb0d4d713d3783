using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Orleans.Serialization.Codecs;

/// <summary>Base of codecs of values that never change.</summary>
internal abstract class ImmutableCodec<T> : Codec<T>
{
    public sealed override bool IsImmutable => true;
}

/// <summary>Integers, characters, truth values and enums as variable-length numbers.</summary>
/// <typeparam name="T">The type; at most 64 bits.</typeparam>
internal sealed class VarintCodec<T> : ImmutableCodec<T>
    where T : unmanaged
{
    private readonly bool _signed;

    public VarintCodec()
    {
        Type type = typeof(T).IsEnum ? Enum.GetUnderlyingType(typeof(T)) : typeof(T);
        _signed = type == typeof(sbyte) || type == typeof(short) || type == typeof(int) || type == typeof(long);
    }

    public override void Write(MessageWriter writer, uint fieldId, T value)
    {
        writer.WriteHeader(fieldId, WireType.Varint);
        if (_signed)
        {
            long wide = ToInt64(value);
            writer.WriteVarUInt64((ulong)(wide << 1) ^ (ulong)(wide >> 63));
        }
        else
        {
            writer.WriteVarUInt64(ToUInt64(value));
        }
    }

    public override T Read(MessageReader reader, WireType wire)
    {
        if (wire != WireType.Varint)
        {
            throw reader.Unexpected(wire, typeof(T));
        }
        ulong raw = reader.ReadVarUInt64();
        ulong bits = _signed ? (raw >> 1) ^ (0 - (raw & 1)) : raw;
        T value = From(bits);
        bool fits = _signed ? ToInt64(value) == (long)bits : ToUInt64(value) == bits;
        return fits ? value : throw new InvalidDataException($"{bits} does not fit {typeof(T)}");
    }

    private static T From(ulong bits)
    {
        if (typeof(T) == typeof(bool))
        {
            bool truth = bits != 0;
            return Unsafe.BitCast<bool, T>(truth);
        }
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, bits);
        return MemoryMarshal.Read<T>(bytes);
    }

    private static long ToInt64(T value) => Unsafe.SizeOf<T>() switch
    {
        1 => Unsafe.BitCast<T, sbyte>(value),
        2 => Unsafe.BitCast<T, short>(value),
        4 => Unsafe.BitCast<T, int>(value),
        _ => Unsafe.BitCast<T, long>(value),
    };

    private static ulong ToUInt64(T value) => Unsafe.SizeOf<T>() switch
    {
        1 => Unsafe.BitCast<T, byte>(value),
        2 => Unsafe.BitCast<T, ushort>(value),
        4 => Unsafe.BitCast<T, uint>(value),
        _ => Unsafe.BitCast<T, ulong>(value),
    };
}

internal sealed class SingleCodec : ImmutableCodec<float>
{
    public override void Write(MessageWriter writer, uint fieldId, float value)
    {
        writer.WriteHeader(fieldId, WireType.Fixed32);
        writer.WriteFixed32(BitConverter.SingleToUInt32Bits(value));
    }

    public override float Read(MessageReader reader, WireType wire) =>
        wire == WireType.Fixed32 ? BitConverter.UInt32BitsToSingle(reader.ReadFixed32()) : throw reader.Unexpected(wire, typeof(float));
}

internal sealed class DoubleCodec : ImmutableCodec<double>
{
    public override void Write(MessageWriter writer, uint fieldId, double value)
    {
        writer.WriteHeader(fieldId, WireType.Fixed64);
        writer.WriteFixed64(BitConverter.DoubleToUInt64Bits(value));
    }

    public override double Read(MessageReader reader, WireType wire) =>
        wire == WireType.Fixed64 ? BitConverter.UInt64BitsToDouble(reader.ReadFixed64()) : throw reader.Unexpected(wire, typeof(double));
}

/// <summary>Values of a fixed size without references, as their little-endian bytes.</summary>
internal sealed class BlittableCodec<T> : ImmutableCodec<T>
    where T : unmanaged
{
    public override void Write(MessageWriter writer, uint fieldId, T value)
    {
        writer.WriteHeader(fieldId, WireType.Bytes);
        writer.WriteBlock(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));
    }

    public override T Read(MessageReader reader, WireType wire)
    {
        if (wire != WireType.Bytes)
        {
            throw reader.Unexpected(wire, typeof(T));
        }
        ReadOnlySpan<byte> bytes = reader.ReadBlock();
        return bytes.Length == Unsafe.SizeOf<T>() ? MemoryMarshal.Read<T>(bytes)
            : throw new InvalidDataException($"{typeof(T)} has {Unsafe.SizeOf<T>()} bytes, not {bytes.Length}");
    }
}

/// <summary>Values that are written as a 64-bit number by two functions.</summary>
internal sealed class Int64Codec<T>(Func<T, long> to, Func<long, T> from) : ImmutableCodec<T>
{
    public override void Write(MessageWriter writer, uint fieldId, T value)
    {
        writer.WriteHeader(fieldId, WireType.Fixed64);
        writer.WriteFixed64((ulong)to(value));
    }

    public override T Read(MessageReader reader, WireType wire)
    {
        if (wire != WireType.Fixed64)
        {
            throw reader.Unexpected(wire, typeof(T));
        }
        try
        {
            return from((long)reader.ReadFixed64());
        }
        catch (ArgumentException error)
        {
            throw new InvalidDataException($"no {typeof(T)}: {error.Message}", error);
        }
    }
}

/// <summary>Classes and structs that are written as text by two functions.</summary>
internal sealed class TextCodec<T>(Func<T, string?> to, Func<string, T> from) : ImmutableCodec<T>
{
    public override void Write(MessageWriter writer, uint fieldId, T value)
    {
        if (value is null || to(value) is not { } text)
        {
            writer.WriteHeader(fieldId, WireType.Null);
            return;
        }
        writer.WriteHeader(fieldId, WireType.Bytes);
        writer.WriteText(text);
    }

    public override T Read(MessageReader reader, WireType wire)
    {
        if (wire == WireType.Null)
        {
            return default!;
        }
        if (wire != WireType.Bytes)
        {
            throw reader.Unexpected(wire, typeof(T));
        }
        string text = reader.ReadText();
        try
        {
            return from(text);
        }
        catch (Exception error) when (error is FormatException or ArgumentException or OverflowException)
        {
            throw new InvalidDataException($"'{text}' is no {typeof(T)}: {error.Message}", error);
        }
    }
}

internal sealed class StringCodec : ImmutableCodec<string>
{
    public override void Write(MessageWriter writer, uint fieldId, string value)
    {
        if (value is null)
        {
            writer.WriteHeader(fieldId, WireType.Null);
            return;
        }
        writer.WriteHeader(fieldId, WireType.Bytes);
        writer.WriteText(value);
    }

    public override string Read(MessageReader reader, WireType wire) => wire switch
    {
        WireType.Null => null!,
        WireType.Bytes => reader.ReadText(),
        _ => throw reader.Unexpected(wire, typeof(string)),
    };
}

internal sealed class DateTimeOffsetCodec : ImmutableCodec<DateTimeOffset>
{
    public override void Write(MessageWriter writer, uint fieldId, DateTimeOffset value)
    {
        Span<byte> bytes = stackalloc byte[10];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value.Ticks);
        BinaryPrimitives.WriteInt16LittleEndian(bytes[8..], (short)value.TotalOffsetMinutes);
        writer.WriteHeader(fieldId, WireType.Bytes);
        writer.WriteBlock(bytes);
    }

    public override DateTimeOffset Read(MessageReader reader, WireType wire)
    {
        if (wire != WireType.Bytes || reader.ReadBlock() is not { Length: 10 } bytes)
        {
            throw reader.Unexpected(wire, typeof(DateTimeOffset));
        }
        try
        {
            return new DateTimeOffset(
                BinaryPrimitives.ReadInt64LittleEndian(bytes), TimeSpan.FromMinutes(BinaryPrimitives.ReadInt16LittleEndian(bytes[8..])));
        }
        catch (ArgumentException error)
        {
            throw new InvalidDataException($"no {nameof(DateTimeOffset)}: {error.Message}", error);
        }
    }
}
