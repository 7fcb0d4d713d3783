using System.Globalization;

namespace Grpc.Core.Internal;

/// <summary>The <c>grpc-timeout</c> header: at most eight digits and a unit out of H, M, S, m, u, n.</summary>
internal static class GrpcTimeout
{
    /// <summary>The longest wait that a timer takes; about 24 days.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(int.MaxValue - 1);

    /// <summary>The header for a time left, rounded up to what eight digits hold.</summary>
    public static string Encode(TimeSpan left)
    {
        if (left <= TimeSpan.Zero)
        {
            return "1n";
        }
        const long Limit = 99_999_999;
        long micros = (left.Ticks + TimeSpan.TicksPerMicrosecond - 1) / TimeSpan.TicksPerMicrosecond;
        (long value, char unit) = micros switch
        {
            <= Limit => (micros, 'u'),
            <= Limit * 1_000 => ((micros + 999) / 1_000, 'm'),
            <= Limit * 1_000_000 => ((micros + 999_999) / 1_000_000, 'S'),
            _ => (Math.Min(Limit, (micros + 59_999_999) / 60_000_000), 'M'),
        };
        return value.ToString(CultureInfo.InvariantCulture) + unit;
    }

    /// <summary>Reads the header; false when it is not of the form above.</summary>
    public static bool TryDecode(ReadOnlySpan<char> text, out TimeSpan left)
    {
        left = default;
        if (text.Length is < 2 or > 9 || !long.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out long value))
        {
            return false;
        }
        double ticks = text[^1] switch
        {
            'H' => (double)value * TimeSpan.TicksPerHour,
            'M' => (double)value * TimeSpan.TicksPerMinute,
            'S' => (double)value * TimeSpan.TicksPerSecond,
            'm' => (double)value * TimeSpan.TicksPerMillisecond,
            'u' => (double)value * TimeSpan.TicksPerMicrosecond,
            'n' => Math.Max(value == 0 ? 0 : 1, value / TimeSpan.NanosecondsPerTick),
            _ => -1,
        };
        if (ticks < 0)
        {
            return false;
        }
        left = ticks >= TimeSpan.MaxValue.Ticks ? TimeSpan.MaxValue : TimeSpan.FromTicks((long)ticks);
        return true;
    }
}
