using System.Runtime.CompilerServices;
using MmCluster.Models;

namespace MmCluster.Gateway.Models;

/// <summary>The models that a gateway serves, by name; the set may change while it runs. Safe to call from any thread.</summary>
public sealed class ServedModels
{
    private readonly Func<IReadOnlyList<IServedModel>> _current;

    /// <summary>A fixed set.</summary>
    public ServedModels(IReadOnlyList<IServedModel> models)
        : this(() => models)
    {
    }

    /// <summary>
    /// A set that changes: <paramref name="current"/> gives the same list until it does, and the same object for a model while it is served.
    /// </summary>
    public ServedModels(Func<IReadOnlyList<IServedModel>> current) => _current = current;

    /// <summary>All, in the order in which they were configured.</summary>
    public IReadOnlyList<IServedModel> All => _current();

    /// <summary>Whether a model can answer: at least one has run its warm-up step.</summary>
    public bool Ready => All.Any(model => model.Ready);

    /// <summary>The model of that name; a request that names none gets the only one.</summary>
    /// <exception cref="MmException">NotFound, naming what is served; InvalidArgument when a name is needed.</exception>
    public IServedModel Find(string? name)
    {
        IReadOnlyList<IServedModel> models = All;
        if (name is null)
        {
            return models.Count == 1
                ? models[0]
                : throw new MmException(MmErrorCode.InvalidArgument, $"'model' is missing; served are: {Names(models)}") { Param = "model" };
        }
        return models.FirstOrDefault(model => model.Id == name)
            ?? throw new MmException(MmErrorCode.NotFound, $"the model '{name}' is not served here; served are: {Names(models)}") { Param = "model" };
    }

    /// <summary>The models that pass <paramref name="filter"/>, each seen through one object that <paramref name="wrap"/> makes.</summary>
    internal ServedModels Wrap(Func<IServedModel, IServedModel> wrap, Func<IServedModel, bool>? filter = null)
    {
        var wrapped = new ConditionalWeakTable<IServedModel, IServedModel>();
        (IReadOnlyList<IServedModel> Inner, IReadOnlyList<IServedModel> Outer)? last = null;
        Lock gate = new();
        return new ServedModels(() =>
        {
            IReadOnlyList<IServedModel> inner = _current();
            lock (gate)
            {
                if (last?.Inner != inner)
                {
                    last = (inner, [.. inner.Where(filter ?? (_ => true)).Select(model => wrapped.GetValue(model, key => wrap(key)))]);
                }
                return last.Value.Outer;
            }
        });
    }

    private static string Names(IReadOnlyList<IServedModel> models) => string.Join(", ", models.Select(model => model.Id));
}
