using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;
using MmCluster.Cli.Commands;
using MmCluster.Media;
using MmCluster.Models;

namespace MmCluster.Cli.Hosting;

/// <summary>The <c>mm</c> command: parses, runs, and turns every failure into one line and an exit code.</summary>
internal static partial class CommandLine
{
    public static async Task<int> RunAsync(
        IReadOnlyList<string> args, CommandContext context, CancellationToken cancellationToken)
    {
        RootCommand root = Root(context);
        ParseResult parsed = root.Parse(args);
        // Help and version carry their own action and want no valid command line around them.
        bool asksForHelp = parsed.Tokens.Any(token => token.Value is "--help" or "-h" or "-?" or "/?" or "--version");
        if ((UnknownOption(parsed) is not null || parsed.Errors.Count > 0) && !asksForHelp)
        {
            return await FailAsync(parsed, context, new MmException(MmErrorCode.InvalidArgument, Describe(parsed)));
        }
        try
        {
            return await parsed.InvokeAsync(
                new InvocationConfiguration
                {
                    Output = context.Out,
                    Error = context.Error,
                    EnableDefaultExceptionHandler = false,
                    ProcessTerminationTimeout = null,
                },
                cancellationToken);
        }
        catch (Exception error)
        {
            return await FailAsync(parsed, context, error);
        }
    }

    private static RootCommand Root(CommandContext context)
    {
        var root = new RootCommand("Serves multimodal large language models.");
        root.Add(GlobalOptions.Json);
        foreach (Command command in CommandCatalog.All(context))
        {
            root.Add(command);
        }
        return root;
    }

    private static string Describe(ParseResult parsed)
    {
        // The library says of each argument that one is missing, but not which.
        string[] missing = [.. parsed.CommandResult.Command.Arguments
            .Where(argument => (parsed.GetResult(argument)?.Tokens.Count ?? 0) < argument.Arity.MinimumNumberOfValues)
            .Select(argument => argument.Name)];
        IEnumerable<string> told = parsed.Errors
            .Where(error => error.SymbolResult is not ArgumentResult { Tokens.Count: 0 })
            .Select(error => TypeNames().Replace(error.Message, ""));
        string errors = UnknownOption(parsed) is { } word ? $"Unrecognized option '{word}'."
            : string.Join(" ", missing.Length == 0 ? told : [$"Missing: {string.Join(", ", missing)}.", .. told]);
        return $"{errors} See '{PathOf(parsed.CommandResult)} --help'.";
    }

    // A word that looks like an option but is none would be taken for a model's name, or for a question; behind -- it may be one.
    private static string? UnknownOption(ParseResult parsed) => parsed.Tokens.Any(token => token.Type == TokenType.DoubleDash) ? null
        : parsed.CommandResult.Command.Arguments
            .SelectMany(argument => parsed.GetResult(argument)?.Tokens ?? [])
            .Select(token => token.Value)
            .FirstOrDefault(word => word.StartsWith("--", StringComparison.Ordinal) && !word.Any(char.IsWhiteSpace));

    private static string PathOf(CommandResult result) =>
        result.Parent is CommandResult parent ? $"{PathOf(parent)} {result.Command.Name}" : "mm";

    private static async Task<int> FailAsync(ParseResult parsed, CommandContext context, Exception error)
    {
        if ((error.InnerException ?? error) is MissingDependencyException lack)
        {
            await WriteAsync(parsed, context, "MachineLacks", lack.Message, param: null);
            return ExitCodes.MachineLacks;
        }
        var mapped = MmException.From(error);
        await WriteAsync(parsed, context, mapped.Code.ToString(), OneLine(mapped.Message), mapped.Param);
        if (mapped.Code == MmErrorCode.Internal)
        {
            await context.Error.WriteLineAsync($"mm: this is a bug of ours; please report it with the lines below.\n{error}");
        }
        return MmErrorTable.Of(mapped.Code).Exit;
    }

    private static async Task WriteAsync(ParseResult parsed, CommandContext context, string code, string message, string? param)
    {
        await context.Error.WriteLineAsync($"mm: {message}");
        if (parsed.GetValue(GlobalOptions.Json))
        {
            await context.Out.WriteLineAsync(JsonLine.Of(new { error = new { code, message, param } }));
        }
    }

    // The library ends "Cannot parse argument ..." with a .NET type, which tells a user nothing.
    [GeneratedRegex(" as expected type '[^']*'")]
    private static partial Regex TypeNames();

    private static string OneLine(string message) => string.Join(' ', message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
