using System.CommandLine;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using MmCluster.Cli.Hosting;
using MmCluster.Silo;

namespace MmCluster.Cli.Clustering;

/// <summary>How a process of a cluster tells what it does: a line an event to standard error, and traces by OTLP where asked.</summary>
internal sealed class LogOptions
{
    private readonly Option<LogLevel> _level = new("--log-level") { Description = "From trace to critical, or none.", DefaultValueFactory = _ => LogLevel.Information };
    private readonly Option<string> _format = new("--log-format") { Description = "text or json.", DefaultValueFactory = _ => "text" };

    private readonly Option<string?> _otlp = new("--otlp-endpoint")
    {
        Description = "Where traces are sent by OTLP, as http://127.0.0.1:4317 (OTEL_EXPORTER_OTLP_ENDPOINT); default: nowhere.",
    };

    public LogOptions() => _format.AcceptOnlyFromAmong("text", "json");

    /// <summary>How the log is written.</summary>
    public IReadOnlyList<Option> Log => [_level, _format];

    /// <summary>Where traces go.</summary>
    public Option Traces => _otlp;

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> All => [.. Log, Traces];

    /// <summary>Starts sending traces, if asked for.</summary>
    public Telemetry StartTelemetry(ParseResult parsed, CommandContext context, string service, string? name) => Telemetry.Start(
        parsed.GetValue(_otlp) ?? context.Environment("OTEL_EXPORTER_OTLP_ENDPOINT"), service, name ?? $"{Environment.MachineName}-{Environment.ProcessId}");

    public Action<ILoggingBuilder> Of(ParseResult parsed)
    {
        LogLevel level = parsed.GetValue(_level);
        bool json = parsed.GetValue(_format) == "json";
        return logging =>
        {
            logging.SetMinimumLevel(level);
            // The runtime below tells its life at Information, which is no news of ours.
            foreach (string below in (string[])["Orleans", "Microsoft", "System"])
            {
                logging.AddFilter(below, level > LogLevel.Warning || level < LogLevel.Information ? level : LogLevel.Warning);
            }
            if (json)
            {
                logging.AddJsonConsole(console => console.UseUtcTimestamp = true);
            }
            else
            {
                logging.AddSimpleConsole(console => (console.SingleLine, console.TimestampFormat, console.UseUtcTimestamp) = (true, "HH:mm:ss.fff ", true));
            }
            logging.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        };
    }
}
