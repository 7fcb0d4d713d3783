using System.CommandLine;
using System.Globalization;

namespace MmCluster.Cli.Commands;

/// <summary>Options that take numbers.</summary>
internal static class NumberOptions
{
    /// <summary>A whole number above 0.</summary>
    public static Option<int> Positive(string name, int value, string description) =>
        Checked(new Option<int>(name) { Description = description, DefaultValueFactory = _ => value }, 1, int.MaxValue, "a whole number above 0");

    /// <summary>A whole number above 0, or nothing.</summary>
    public static Option<int?> PositiveOrNone(string name, string description) =>
        Checked(new Option<int?>(name) { Description = description }, 1, int.MaxValue, "a whole number above 0");

    /// <summary>A whole number of at least 0; default: 0.</summary>
    public static Option<int> Count(string name, string description) =>
        Checked(new Option<int>(name) { Description = description }, 0, int.MaxValue, "a whole number of at least 0");

    /// <summary>A TCP port, or 0.</summary>
    public static Option<int> Port(string name, int value, string description) => Checked(
        new Option<int>(name) { Description = description, DefaultValueFactory = _ => value }, 0, ushort.MaxValue, $"a port from 0 to {ushort.MaxValue}");

    /// <summary>A TCP port, 0, or nothing.</summary>
    public static Option<int?> PortOrNone(string name, string description) => Checked(
        new Option<int?>(name) { Description = description }, 0, ushort.MaxValue, $"a port from 0 to {ushort.MaxValue}");

    /// <summary>Bytes above 0, or nothing.</summary>
    public static Option<long?> BytesOrNone(string name, string description) =>
        Checked(new Option<long?>(name) { Description = description }, 1, long.MaxValue, "a number of bytes above 0");

    /// <summary>A number from 0 to below 1; default: 0.</summary>
    public static Option<double> Share(string name, string description) => Checked(
        new Option<double>(name) { Description = description }, value => value is >= 0 and < 1, "a number from 0 to below 1");

    /// <summary>A share above 0 up to 1.</summary>
    public static Option<double> Part(string name, double value, string description) => Checked(
        new Option<double>(name) { Description = description, DefaultValueFactory = _ => value }, value => value is > 0 and <= 1, "a number above 0, at most 1");

    /// <summary>Seconds from 0 to a day.</summary>
    public static Option<double> Seconds(string name, double value, string description) => Checked(
        new Option<double>(name) { Description = description, DefaultValueFactory = _ => value }, IsSeconds, "seconds from 0 to 86400");

    /// <summary>Seconds above 0 to a day, or nothing.</summary>
    public static Option<double?> SecondsOrNone(string name, string description) => Checked(
        new Option<double?>(name) { Description = description }, value => value > 0 && IsSeconds(value), "seconds above 0, at most 86400");

    private static bool IsSeconds(double value) => value is >= 0 and <= 86_400;

    private static Option<T> Checked<T>(Option<T> option, Predicate<double> fits, string wanted)
    {
        option.Validators.Add(result =>
        {
            if (result.Tokens.Any(token => !double.TryParse(token.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
                || !fits(value)))
            {
                result.AddError($"{option.Name} wants {wanted}.");
            }
        });
        return option;
    }

    private static Option<T> Checked<T>(Option<T> option, long least, long most, string wanted)
    {
        option.Validators.Add(result =>
        {
            // Text that is no number makes GetValueOrDefault throw.
            if (result.Tokens.Any(token => !long.TryParse(token.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value)
                || value < least || value > most))
            {
                result.AddError($"{option.Name} wants {wanted}.");
            }
        });
        return option;
    }
}
