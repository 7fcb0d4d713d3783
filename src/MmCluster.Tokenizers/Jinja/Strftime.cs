using System.Globalization;
using System.Text;

namespace MmCluster.Tokenizers.Jinja;

/// <summary>C's strftime in the C locale, the directives that Python documents.</summary>
internal static class Strftime
{
    /// <summary>A time by a format; an unknown directive is an error that names it.</summary>
    public static string Format(DateTimeOffset time, string format)
    {
        var text = new StringBuilder();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }
            bool unpadded = format[++i] == '-' && i + 1 < format.Length;
            if (unpadded)
            {
                i++;
            }
            string part = Directive(time, format[i]);
            text.Append(unpadded && part.Length > 1 ? part.TrimStart('0') is { Length: > 0 } trimmed ? trimmed : "0" : part);
        }
        return text.ToString();
    }

    private static string Directive(DateTimeOffset time, char letter) => letter switch
    {
        'a' => Net(time, "ddd"),
        'A' => Net(time, "dddd"),
        'b' or 'h' => Net(time, "MMM"),
        'B' => Net(time, "MMMM"),
        'c' => Net(time, "ddd MMM ") + time.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2) + Net(time, " HH:mm:ss yyyy"),
        'd' => Net(time, "dd"),
        'D' or 'x' => Net(time, @"MM\/dd\/yy"),
        'e' => time.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
        'f' => Net(time, "ffffff"),
        'F' => Net(time, "yyyy-MM-dd"),
        'H' => Net(time, "HH"),
        'I' => Net(time, "hh"),
        'j' => time.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
        'm' => Net(time, "MM"),
        'M' => Net(time, "mm"),
        'n' => "\n",
        'p' => time.Hour < 12 ? "AM" : "PM",
        'R' => Net(time, "HH:mm"),
        'S' => Net(time, "ss"),
        't' => "\t",
        'T' or 'X' => Net(time, "HH:mm:ss"),
        'u' => (time.DayOfWeek == DayOfWeek.Sunday ? 7 : (int)time.DayOfWeek).ToString(CultureInfo.InvariantCulture),
        'w' => ((int)time.DayOfWeek).ToString(CultureInfo.InvariantCulture),
        'y' => Net(time, "yy"),
        'Y' => Net(time, "yyyy"),
        // datetime.now() carries no zone, so Python prints nothing for these.
        'z' or 'Z' => "",
        '%' => "%",
        _ => throw new TemplateFailure($"strftime_now: directive '%{letter}' is not supported", FailureKind.Unknown),
    };

    private static string Net(DateTimeOffset time, string format) => time.ToString(format, CultureInfo.InvariantCulture);
}
