using MmCluster.Models;

namespace MmCluster.Gateway.Models;

/// <summary>The models that a gateway serves, by name. Immutable.</summary>
public sealed class ServedModels(IReadOnlyList<IServedModel> models)
{
    /// <summary>All, in the order in which they were configured.</summary>
    public IReadOnlyList<IServedModel> All => models;

    /// <summary>Whether every model has run its warm-up step.</summary>
    public bool Ready => models.All(model => model.Ready);

    /// <summary>The model of that name; a request that names none gets the only one.</summary>
    /// <exception cref="MmException">NotFound, naming what is served; InvalidArgument when a name is needed.</exception>
    public IServedModel Find(string? name)
    {
        if (name is null)
        {
            return models.Count == 1
                ? models[0]
                : throw new MmException(MmErrorCode.InvalidArgument, $"'model' is missing; served are: {Names}") { Param = "model" };
        }
        return models.FirstOrDefault(model => model.Id == name)
            ?? throw new MmException(MmErrorCode.NotFound, $"the model '{name}' is not served here; served are: {Names}") { Param = "model" };
    }

    private string Names => string.Join(", ", models.Select(model => model.Id));
}
