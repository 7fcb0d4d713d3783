using MmCluster.Engine.Hosting;
using MmCluster.Models;

namespace MmCluster.Gateway.Admission;

/// <summary>
/// Which of a request's media items an error is about. Decoders, wherever they run, begin their errors with the item's name, which is its place in the request
/// (<c>messages[0].content[1]</c>): here it becomes the error's parameter.
/// </summary>
internal static class MediaFault
{
    public static MmException Locate(MmException error, ModelRequest request)
    {
        if (error.Code != MmErrorCode.InvalidArgument || error.Param is not null || request.Input is not ModelInput.Chat chat)
        {
            return error;
        }
        string? name = chat.Turns.SelectMany(turn => turn.Parts).OfType<ChatPart.Media>()
            .Select(part => part.Item.Name)
            .FirstOrDefault(name => error.Message.StartsWith(name + ":", StringComparison.Ordinal));
        return name is null ? error : new MmException(error.Code, error.Message, error) { Param = name, Stage = error.Stage, RetryAfter = error.RetryAfter };
    }
}
