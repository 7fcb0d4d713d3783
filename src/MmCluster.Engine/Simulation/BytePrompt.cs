using System.Text;
using MmCluster.Engine.Hosting;
using MmCluster.Models;

namespace MmCluster.Engine.Simulation;

/// <summary>Prompts of a simulated model, which has no tokenizer: a text is one token a byte.</summary>
public static class BytePrompt
{
    private const int FirstByteToken = 3;

    /// <summary>The token ids of an input.</summary>
    /// <exception cref="MmException">InvalidArgument: an empty prompt, or media.</exception>
    public static ReadOnlyMemory<int> Of(ModelInput input) => input switch
    {
        ModelInput.Tokens tokens => tokens.Ids,
        ModelInput.Text text => Bytes(text.Prompt),
        ModelInput.Chat chat => Bytes(string.Join('\n', chat.Turns.SelectMany(turn => turn.Parts).Select(Text))),
        _ => throw new ArgumentOutOfRangeException(nameof(input)),
    };

    private static string Text(ChatPart part) => part is ChatPart.Text text
        ? text.Value
        : throw new MmException(MmErrorCode.InvalidArgument, "a simulated model takes text only");

    private static int[] Bytes(string text) => text.Length == 0
        ? throw new MmException(MmErrorCode.InvalidArgument, "the prompt is empty") { Param = "prompt" }
        : [.. Encoding.UTF8.GetBytes(text).Select(value => FirstByteToken + value)];
}
