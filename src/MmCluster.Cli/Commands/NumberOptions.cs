using System.CommandLine;

namespace MmCluster.Cli.Commands;

/// <summary>Options that take numbers.</summary>
internal static class NumberOptions
{
    /// <summary>A whole number above 0.</summary>
    public static Option<int> Positive(string name, int value, string description)
    {
        var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => value };
        option.Validators.Add(result =>
        {
            if (result.Errors.Any() || result.GetValueOrDefault<int>() <= 0)
            {
                result.AddError($"{name} wants a whole number above 0.");
            }
        });
        return option;
    }
}
