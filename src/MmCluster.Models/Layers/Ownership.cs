namespace MmCluster.Models.Layers;

/// <summary>The weights of one network, disposed with it.</summary>
internal sealed class Ownership : IDisposable
{
    private readonly List<IDisposable> _owned = [];

    public T Add<T>(T item) where T : IDisposable
    {
        _owned.Add(item);
        return item;
    }

    public void Dispose()
    {
        foreach (IDisposable item in _owned)
        {
            item.Dispose();
        }
        _owned.Clear();
    }
}
