using System.Collections.Immutable;
using System.Text.Json;
using MmCluster.Tokenizers.Jinja;
using MmCluster.Tokenizers.Json;
using Value = MmCluster.Tokenizers.Jinja.Value;

namespace MmCluster.Tokenizers;

/// <summary>What a chat template is rendered with. All text in it counts as a user's, but for well-known roles.</summary>
public sealed record ChatTemplateInput
{
    /// <summary>The conversation: an array of objects with "role" and "content" (text, or an array of parts).</summary>
    public required JsonElement Messages { get; init; }

    /// <summary>Tools as JSON schemas, or null.</summary>
    public JsonElement? Tools { get; init; }

    /// <summary>Documents to answer from, or null.</summary>
    public JsonElement? Documents { get; init; }

    /// <summary>Whether the prompt ends with what begins an assistant's answer.</summary>
    public bool AddGenerationPrompt { get; init; }

    /// <summary>Further variables, such as enable_thinking.</summary>
    public ImmutableDictionary<string, JsonElement> Variables { get; init; } = ImmutableDictionary<string, JsonElement>.Empty;

    /// <summary>The clock that strftime_now reads.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>A conversation of plain text.</summary>
    public static ChatTemplateInput FromText(IEnumerable<(string Role, string Content)> messages, bool addGenerationPrompt = true) => new()
    {
        Messages = JsonSerializer.SerializeToElement(
            messages.Select(message => new Dictionary<string, string> { ["role"] = message.Role, ["content"] = message.Content })),
        AddGenerationPrompt = addGenerationPrompt,
    };
}

/// <summary>A prompt as a chat template wrote it.</summary>
/// <param name="Text">The whole prompt.</param>
/// <param name="Segments">The same in stretches of one origin, for <see cref="Tokenizer.EncodeSegments"/>.</param>
public sealed record RenderedPrompt(string Text, IReadOnlyList<TextSegment> Segments);

/// <summary>
/// A chat template in Jinja, the part of it that published templates use, with trim_blocks and lstrip_blocks on. Which
/// characters of the result came from the caller is tracked through every operation, so that no message can spell a
/// special token. Thread-safe.
/// </summary>
public sealed class ChatTemplate
{
    private const int MaxSource = 1 << 20;
    private const long MaxSteps = 5_000_000;
    private const int MaxText = 32 << 20;

    private readonly string _name;
    private readonly IReadOnlyList<Statement> _body;
    private readonly ImmutableDictionary<string, string> _tokens;

    private ChatTemplate(string name, IReadOnlyList<Statement> body, ImmutableDictionary<string, string> tokens)
    {
        _name = name;
        _body = body;
        _tokens = tokens;
    }

    /// <summary>Parses a template.</summary>
    /// <param name="source">Its text.</param>
    /// <param name="name">Stands in errors.</param>
    /// <param name="tokens">Special tokens that it sees as variables, such as bos_token; their text is trusted.</param>
    /// <exception cref="InvalidDataException">A syntax error; the text names line and word.</exception>
    /// <exception cref="NotSupportedException">An unknown tag, filter, test or the like; the text names line and word.</exception>
    public static ChatTemplate Parse(
        string source, string name = "chat_template", ImmutableDictionary<string, string>? tokens = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        if (source.Length > MaxSource)
        {
            throw new InvalidDataException($"{name}: {source.Length} characters, the limit is {MaxSource}");
        }
        try
        {
            return new ChatTemplate(name, StatementParser.Parse(source), tokens ?? ImmutableDictionary<string, string>.Empty);
        }
        catch (TemplateFailure failure)
        {
            throw Public(failure, name, failure.Line);
        }
    }

    /// <summary>Writes the prompt.</summary>
    /// <exception cref="ArgumentException">The template refused the conversation with raise_exception; the text is its own.</exception>
    /// <exception cref="InvalidDataException">The template fails on this input, or exceeds its limits; the text names the line.</exception>
    /// <exception cref="NotSupportedException">The template asks for something unknown; the text names line and word.</exception>
    public RenderedPrompt Render(ChatTemplateInput input)
    {
        ArgumentNullException.ThrowIfNull(input);
        var budget = new Budget(MaxSteps, MaxText);
        var state = new RenderState(budget, input.Time);
        var scope = new Scope(state, null);
        try
        {
            Globals.Define(scope);
            Define(scope, input);
            var output = new TextValue.Builder(budget);
            Statement.RunAll(_body, scope, output);
            TextValue text = output.Build();
            return new RenderedPrompt(text.Text, [.. text.Segments()]);
        }
        catch (TemplateFailure failure)
        {
            throw Public(failure, _name, failure.Line == 0 ? state.Line : failure.Line);
        }
    }

    private void Define(Scope scope, ChatTemplateInput input)
    {
        foreach ((string name, string token) in _tokens)
        {
            scope.Set(name, new TextValue(token));
        }
        foreach ((string name, JsonElement value) in input.Variables)
        {
            scope.Set(name, JsonValues.Read(new JsonPart(value, name)));
        }
        scope.Set("messages", JsonValues.Read(new JsonPart(input.Messages, "messages")));
        scope.Set("tools", Optional(input.Tools, "tools"));
        scope.Set("documents", Optional(input.Documents, "documents"));
        scope.Set("add_generation_prompt", Value.Of(input.AddGenerationPrompt));
    }

    private static Value Optional(JsonElement? element, string name) =>
        element is { ValueKind: not JsonValueKind.Undefined } value ? JsonValues.Read(new JsonPart(value, name)) : Value.None;

    private static Exception Public(TemplateFailure failure, string name, int line) => failure.Kind switch
    {
        FailureKind.Refused => new ArgumentException(failure.Message, failure),
        FailureKind.Unknown => new NotSupportedException($"{name}: line {line}: {failure.Message}", failure),
        _ => new InvalidDataException($"{name}: line {line}: {failure.Message}", failure),
    };
}
