namespace Orleans.Runtime.Streaming;

internal static class RemoteEnumerable
{
    public const int DefaultBatchSize = 100;
    public const int MaxBatchSize = 100_000;
}

/// <summary>An enumerable that can say how many items a step may bring.</summary>
internal interface IBatched<out T>
{
    IAsyncEnumerable<T> WithBatchSize(int maxBatchSize);
}

/// <summary>What a proxy returns for a method that returns IAsyncEnumerable: every enumeration calls the grain anew.</summary>
internal sealed class RemoteEnumerable<T>(GrainReference target, Func<StreamRequest<T>> create, CancellationToken token, int batchSize = RemoteEnumerable.DefaultBatchSize)
    : IAsyncEnumerable<T>, IBatched<T>
{
    public IAsyncEnumerable<T> WithBatchSize(int maxBatchSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxBatchSize, 1);
        return new RemoteEnumerable<T>(target, create, token, Math.Min(maxBatchSize, RemoteEnumerable.MaxBatchSize));
    }

    public IAsyncEnumerator<T> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        StreamRequest<T> start = create();
        start.BatchSize = batchSize;
        return new RemoteEnumerator<T>(target, start, token, cancellationToken);
    }
}

/// <summary>Pulls steps from the enumerator that lives with the grain.</summary>
internal sealed class RemoteEnumerator<T> : IAsyncEnumerator<T>
{
    private readonly GrainReference _target;
    private readonly Guid _id = Guid.NewGuid();
    private readonly CancellationTokenSource? _linked;
    private readonly CancellationToken _token;
    private StreamRequest<T>? _start;
    private T[] _items = [];
    private int _next;
    private bool _opened;
    private bool _ended;
    private Exception? _error;

    public RemoteEnumerator(GrainReference target, StreamRequest<T> start, CancellationToken first, CancellationToken second)
    {
        _target = target;
        _start = start;
        start.EnumerationId = _id;
        if (first.CanBeCanceled && second.CanBeCanceled)
        {
            _linked = CancellationTokenSource.CreateLinkedTokenSource(first, second);
            _token = _linked.Token;
        }
        else
        {
            _token = first.CanBeCanceled ? first : second;
        }
    }

    public T Current { get; private set; } = default!;

    public ValueTask<bool> MoveNextAsync()
    {
        if (_next < _items.Length)
        {
            _token.ThrowIfCancellationRequested();
            Current = _items[_next++];
            return new ValueTask<bool>(true);
        }
        return PullAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _linked?.Dispose();
        if (!_opened || _ended)
        {
            return;
        }
        _ended = true;
        try
        {
            await _target.Call(new DisposeRequest { EnumerationId = _id }, CancellationToken.None);
        }
        catch (Exception error) when (error is OrleansException or TimeoutException)
        {
            // Whoever held the enumerator is gone, and it with them.
        }
    }

    private async ValueTask<bool> PullAsync()
    {
        while (true)
        {
            _token.ThrowIfCancellationRequested();
            if (_error is not null)
            {
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(_error);
            }
            if (_ended)
            {
                return false;
            }
            Take(await AskAsync());
            if (_items.Length > 0)
            {
                Current = _items[_next++];
                return true;
            }
        }
    }

    private async Task<Step> AskAsync()
    {
        _opened = true;
        StepRequest request = (StepRequest?)_start ?? new MoveNextRequest<T> { EnumerationId = _id };
        _start = null;
        Task<Step> step = request.Task;
        _target.Runtime.Send(_target, request, _token);
        return await step;
    }

    private void Take(Step step)
    {
        _next = 0;
        _items = step is Step<T> typed ? typed.Items : [];
        _ended = step.Status is StepStatus.Completed or StepStatus.Failed or StepStatus.Missing;
        _error = step.Status switch
        {
            StepStatus.Failed => step.Error ?? new EnumerationAbortedException("The enumeration failed."),
            StepStatus.Missing => new EnumerationAbortedException(
                $"Enumeration aborted: the remote target {_target.GrainId} does not have a record of this enumerator. "
                + "This likely indicates that the remote grain was deactivated since enumeration began or that the enumerator was idle for longer than the expiration period."),
            _ => null,
        };
    }
}
