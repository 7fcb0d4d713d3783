namespace MmCluster.Conformance.Grains;

public interface INumberedGrain : IGrainWithIntegerKey
{
    Task<long> Key();
}

public sealed class NumberedGrain : Grain, INumberedGrain
{
    public Task<long> Key() => Task.FromResult(this.GetPrimaryKeyLong());
}

public interface IGuidGrain : IGrainWithGuidKey
{
    Task<Guid> Key();
}

public sealed class GuidGrain : Grain, IGuidGrain
{
    public Task<Guid> Key() => Task.FromResult(this.GetPrimaryKey());
}

public interface IPairGrain : IGrainWithIntegerCompoundKey
{
    Task<(long, string?)> Key();
}

public sealed class PairGrain : Grain, IPairGrain
{
    public Task<(long, string?)> Key()
    {
        long key = this.GetPrimaryKeyLong(out string? extension);
        return Task.FromResult<(long, string?)>((key, extension));
    }
}

public interface IShopGrain : IGrainWithStringKey
{
    Task<string> Kind();
}

public sealed class BookShopGrain : Grain, IShopGrain
{
    public Task<string> Kind() => Task.FromResult("books");
}

public sealed class FruitShopGrain : Grain, IShopGrain
{
    public Task<string> Kind() => Task.FromResult("fruit");
}

public interface IPointerGrain : IGrainWithStringKey
{
    /// <summary>A reference to itself.</summary>
    Task<IPointerGrain> Self();

    /// <summary>The key of what is passed.</summary>
    Task<string> KeyOf(IPointerGrain other);

    /// <summary>Calls itself while it runs, which can never be answered.</summary>
    Task<string> CallSelf();

    [ResponseTimeout("00:00:00.500")]
    Task<string> Key();
}

public sealed class PointerGrain : Grain, IPointerGrain
{
    public Task<IPointerGrain> Self() => Task.FromResult(this.AsReference<IPointerGrain>());

    public Task<string> KeyOf(IPointerGrain other) => Task.FromResult(other.GetPrimaryKeyString());

    public async Task<string> CallSelf()
    {
        try
        {
            return await this.AsReference<IPointerGrain>().Key();
        }
        catch (TimeoutException)
        {
            return nameof(TimeoutException);
        }
    }

    public Task<string> Key() => Task.FromResult(this.GetPrimaryKeyString());
}
