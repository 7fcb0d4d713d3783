using MmCluster.Models;

namespace MmCluster.Gateway.Models;

/// <summary>The revision that a request names.</summary>
internal static class Revisions
{
    /// <summary>Refuses one of a model that has none. Which of several run, the model itself knows when the request comes to it.</summary>
    /// <exception cref="MmException">NotFound.</exception>
    public static void Check(string revision, IServedModel model)
    {
        if (revision.Length > 0 && model.Revisions.Count == 0)
        {
            throw new MmException(MmErrorCode.NotFound, $"'revision': {model.Id} is served in its current revision only; leave it empty for that one") { Param = "revision" };
        }
    }
}
