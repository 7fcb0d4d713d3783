using Microsoft.Extensions.Configuration;

namespace Aspire.Hosting.Internal;

/// <summary>Joins the output of all processes on one console, each line behind its process' name. Thread-safe.</summary>
internal sealed class LogConsole(IConfiguration configuration)
{
    private const string Reset = "\e[0m";
    private static readonly string[] Colours = ["\e[36m", "\e[33m", "\e[35m", "\e[32m", "\e[34m", "\e[96m", "\e[93m", "\e[95m", "\e[92m", "\e[94m"];

    private readonly Lock _lock = new();
    private readonly Dictionary<string, string> _colours = [];
    private readonly bool _coloured = string.IsNullOrEmpty(configuration["NO_COLOR"]) && !Console.IsOutputRedirected;
    private int _width = 8;

    /// <summary>Writes a process' line.</summary>
    public void Write(string name, string line) => Write(name, line, problem: false);

    /// <summary>Writes what the app host itself has to say of a process.</summary>
    public void Report(string name, string text, bool problem = false) => Write(name, "-- " + text, problem);

    private void Write(string name, string line, bool problem)
    {
        lock (_lock)
        {
            _width = Math.Max(_width, name.Length);
            string label = name.PadRight(_width);
            if (!_coloured)
            {
                Console.Out.WriteLine($"{label} | {line}");
                return;
            }
            if (!_colours.TryGetValue(name, out string? colour))
            {
                _colours[name] = colour = Colours[_colours.Count % Colours.Length];
            }
            Console.Out.WriteLine(problem ? $"{colour}{label} | \e[31m{line}{Reset}" : $"{colour}{label} | {Reset}{line}");
        }
    }
}
