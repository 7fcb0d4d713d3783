using System.Globalization;
using System.Text;
using MmCluster.Tokenizers.Unicode;

namespace MmCluster.Tokenizers.Jinja;

/// <summary>The escapes of Python's string literals. An unknown one stays as it is written.</summary>
internal static class StringEscapes
{
    /// <summary>The text that a literal's inside stands for.</summary>
    public static string Decode(string raw, int line)
    {
        if (!raw.Contains('\\'))
        {
            return raw;
        }
        var text = new StringBuilder(raw.Length);
        for (int i = 0; i < raw.Length; i++)
        {
            if (raw[i] != '\\' || i + 1 == raw.Length)
            {
                text.Append(raw[i]);
                continue;
            }
            char letter = raw[++i];
            if (Simple(letter) is { } simple)
            {
                text.Append(simple);
            }
            else if (letter is 'x' or 'u' or 'U')
            {
                int digits = letter switch { 'x' => 2, 'u' => 4, _ => 8 };
                CodePoints.Append(text, Number(raw, i + 1, digits, NumberStyles.AllowHexSpecifier, line));
                i += digits;
            }
            else if (letter is >= '0' and <= '7')
            {
                int end = i;
                int value = 0;
                while (end < raw.Length && end < i + 3 && raw[end] is >= '0' and <= '7')
                {
                    value = value * 8 + (raw[end++] - '0');
                }
                CodePoints.Append(text, value);
                i = end - 1;
            }
            else if (letter != '\n')
            {
                text.Append('\\').Append(letter);
            }
        }
        return text.ToString();
    }

    private static char? Simple(char letter) => letter switch
    {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\b',
        'f' => '\f',
        'v' => '\v',
        'a' => '\a',
        '\\' or '\'' or '"' => letter,
        _ => null,
    };

    private static int Number(string raw, int start, int digits, NumberStyles style, int line) =>
        start + digits <= raw.Length
            && int.TryParse(raw.AsSpan(start, digits), style, CultureInfo.InvariantCulture, out int value) && value is >= 0 and <= 0x10FFFF
            ? value : throw new TemplateFailure($"the escape '\\{raw[start - 1]}' needs {digits} hexadecimal digits", line: line);
}
