using System.Text;

namespace Grpc.Core.Internal;

/// <summary>The <c>grpc-message</c> trailer: UTF-8, with each byte outside 0x20..0x7E and each '%' as %XX.</summary>
internal static class PercentEncoding
{
    public static string Encode(string text)
    {
        bool plain = true;
        foreach (char c in text)
        {
            plain &= IsPlain(c);
        }
        if (plain)
        {
            return text;
        }
        var encoded = new StringBuilder(text.Length + 16);
        foreach (byte b in Encoding.UTF8.GetBytes(text))
        {
            if (IsPlain((char)b))
            {
                encoded.Append((char)b);
            }
            else
            {
                encoded.Append('%').Append(Convert.ToHexString([b]));
            }
        }
        return encoded.ToString();
    }

    /// <summary>Never fails: what is no valid escape stays as it is.</summary>
    public static string Decode(string text)
    {
        if (!text.Contains('%'))
        {
            return text;
        }
        byte[] bytes = new byte[Encoding.UTF8.GetMaxByteCount(text.Length)];
        int length = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '%' && i + 2 < text.Length && char.IsAsciiHexDigit(text[i + 1]) && char.IsAsciiHexDigit(text[i + 2]))
            {
                bytes[length++] = Convert.FromHexString(text.AsSpan(i + 1, 2))[0];
                i += 2;
            }
            else
            {
                length += Encoding.UTF8.GetBytes(text.AsSpan(i, 1), bytes.AsSpan(length));
            }
        }
        return Encoding.UTF8.GetString(bytes, 0, length);
    }

    private static bool IsPlain(char c) => c is >= ' ' and <= '~' and not '%';
}
