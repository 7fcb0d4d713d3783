using Orleans.Runtime.Streaming;

namespace Orleans.Runtime;

/// <summary>Settings of enumerations of grain methods.</summary>
public static class AsyncEnumerableExtensions
{
    /// <summary>Lets a message bring at most <paramref name="maxBatchSize"/> items; the default is 100. Other enumerables are returned as they are.</summary>
    public static IAsyncEnumerable<T> WithBatchSize<T>(this IAsyncEnumerable<T> self, int maxBatchSize) =>
        self is IBatched<T> batched ? batched.WithBatchSize(maxBatchSize) : self;
}
