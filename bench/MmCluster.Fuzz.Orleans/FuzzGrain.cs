using System.Collections.Immutable;
using Orleans;

namespace MmCluster.Fuzz.Orleans;

/// <summary>A message with something of everything that is read.</summary>
[GenerateSerializer, Alias("fuzz.Message")]
public sealed class FuzzMessage
{
    [Id(0)]
    public string Text { get; set; } = "";

    [Id(1)]
    public List<int[]> Numbers { get; set; } = [];

    [Id(2)]
    public FuzzMessage? Next { get; set; }

    [Id(3)]
    public Dictionary<string, double?> Weights { get; init; } = [];

    [Id(4)]
    public ReadOnlyMemory<byte> Bytes { get; set; }

    [Id(5)]
    public ImmutableArray<DayOfWeek> Days { get; set; } = [];

    [Id(6)]
    public object? Anything { get; set; }

    [Id(7)]
    public Exception? Error { get; set; }

    [Id(8)]
    public (Guid Id, TimeSpan Span, DateTimeOffset Time) Several { get; set; }

    /// <summary>A message drawn by <paramref name="random"/>.</summary>
    public static FuzzMessage Draw(Random random, int depth = 0)
    {
        FuzzMessage message = new()
        {
            Text = new string('x', random.Next(40)),
            Numbers = [[random.Next(), -1], []],
            Weights = { ["a"] = random.NextDouble(), ["b"] = null },
            Bytes = new byte[random.Next(64)],
            Days = [DayOfWeek.Monday, DayOfWeek.Sunday],
            Anything = random.Next(4) switch { 0 => 5L, 1 => new[] { "a", "b" }, 2 => new Dictionary<int, object> { [1] = "b" }, _ => null },
            Error = random.Next(3) == 0 ? new InvalidOperationException("outer", new TimeoutException("inner")) : null,
            Several = (Guid.NewGuid(), TimeSpan.FromTicks(random.NextInt64()), DateTimeOffset.UnixEpoch),
        };
        message.Next = depth >= 3 ? null : random.Next(3) == 0 ? message : Draw(random, depth + 1);
        return message;
    }
}

/// <summary>What the attacks call.</summary>
public interface IFuzzGrain : IGrainWithIntegerKey
{
    /// <summary>Returns the message.</summary>
    Task<FuzzMessage> Take(FuzzMessage message, Dictionary<string, List<double?>> table, object? anything);

    /// <summary>The length of the text.</summary>
    ValueTask<int> Measure(string text, CancellationToken token);

    /// <summary>The numbers below <paramref name="count"/>, as texts.</summary>
    IAsyncEnumerable<string> Count(FuzzMessage from, int count);

    /// <summary>Takes a reference to a grain.</summary>
    Task Meet(IFuzzGrain? other);
}

/// <inheritdoc cref="IFuzzGrain"/>
public sealed class FuzzGrain : Grain, IFuzzGrain
{
    public Task<FuzzMessage> Take(FuzzMessage message, Dictionary<string, List<double?>> table, object? anything) => Task.FromResult(message);

    public ValueTask<int> Measure(string text, CancellationToken token) => new(text?.Length ?? 0);

    public async IAsyncEnumerable<string> Count(FuzzMessage from, int count)
    {
        for (int i = 0; i < Math.Min(count, 1000); i++)
        {
            await Task.Yield();
            yield return $"{i}";
        }
    }

    public Task Meet(IFuzzGrain? other) => Task.CompletedTask;
}
