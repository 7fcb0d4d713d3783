using Microsoft.AspNetCore.Http;
using MmCluster.Gateway.Keys;
using MmCluster.Gateway.Models;
using MmCluster.Models;

namespace MmCluster.Gateway.OpenAi;

/// <summary>GET /v1/models and /v1/models/{id}; beyond OpenAI's fields each model tells its length, vocabulary and the revisions that requests may name, the current one first. A key sees its own models.</summary>
internal static class ModelsEndpoint
{
    public static Task ListAsync(HttpContext http) =>
        http.Response.WriteAsJsonAsync(new { @object = "list", data = Caller.Of(http).Models.All.Select(Describe) }, http.RequestAborted);

    public static async Task GetAsync(HttpContext http, string id)
    {
        try
        {
            await http.Response.WriteAsJsonAsync(Describe(Caller.Of(http).Models.Find(id)), http.RequestAborted);
        }
        catch (MmException error)
        {
            await ErrorBody.WriteAsync(http, error);
        }
    }

    private static object Describe(IServedModel model) => new
    {
        id = model.Id,
        @object = "model",
        created = model.Info.Created.ToUnixTimeSeconds(),
        owned_by = "mmcluster",
        max_model_len = model.Info.MaxModelLength,
        vocab_size = model.Info.VocabularySize,
        revisions = model.Revisions,
    };
}
