using System.Diagnostics;
using MmCluster.Models;
using MmCluster.Tensors;
using MmCluster.Tensors.Cuda;

namespace MmCluster.Engine.Encoders;

/// <summary>
/// Runs one encoder for all requests: items of one shape that wait together go through it as a batch, an item that is in flight or cached is
/// not encoded again, and the features that nobody holds are kept up to a limit, least recently used first out. One thread encodes; the other
/// members are safe to call from any thread.
/// </summary>
public sealed class EncoderBatcher : IAsyncDisposable
{
    private readonly Func<Tensor, Tensor> _encode;
    private readonly EncoderOptions _options;
    private readonly Device _device;
    private readonly Lock _gate = new();
    private readonly Dictionary<UInt128, EncoderItem> _items = [];
    private readonly LinkedList<EncoderItem> _idle = [];
    private readonly LinkedList<(EncoderItem Item, EncoderInput Input)> _queue = [];
    private readonly AutoResetEvent _work = new(false);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _stopping;
    private long _idleBytes;

    /// <summary>Starts a batcher.</summary>
    /// <param name="encode">Encodes [B, ...] to features [B, rows, width] in the caller's tensor scope.</param>
    /// <param name="options">Limits.</param>
    /// <param name="device">Where the features are; on a GPU the encoder has a stream of its own. The processor when null.</param>
    public EncoderBatcher(Func<Tensor, Tensor> encode, EncoderOptions options, Device? device = null)
    {
        _device = device ?? Device.Cpu;
        _encode = encode;
        _options = options;
        new Thread(Loop) { IsBackground = true, Name = "encoder" }.Start();
    }

    /// <summary>Items asked for.</summary>
    public long Queries { get; private set; }

    /// <summary>Of those, how many were cached or in flight already.</summary>
    public long Hits { get; private set; }

    /// <summary>Batches encoded.</summary>
    public long Batches { get; private set; }

    /// <summary>Bytes of features that no request holds.</summary>
    public long IdleBytes
    {
        get
        {
            lock (_gate)
            {
                return _idleBytes;
            }
        }
    }

    /// <summary>Items that somebody has a claim on, those in flight included.</summary>
    public int HeldItems
    {
        get
        {
            lock (_gate)
            {
                return _items.Values.Count(item => item.Holders > 0);
            }
        }
    }

    /// <summary>
    /// A claim on the features of the item called <paramref name="key"/>. Only where they are neither cached nor in flight is
    /// <paramref name="prepare"/> run, and its result encoded. A fault of either is that of the features, and is not cached. When the last claim is
    /// given back before that, the work is stopped.
    /// </summary>
    public EncoderLease Get(UInt128 key, Func<CancellationToken, Task<EncoderInput>> prepare)
    {
        EncoderItem? item;
        bool isNew;
        lock (_gate)
        {
            Queries++;
            isNew = !_items.TryGetValue(key, out item);
            if (isNew)
            {
                item = new EncoderItem(key);
                _items.Add(key, item);
            }
            else
            {
                Hits++;
            }
            Hold(item!);
        }
        if (isNew)
        {
            _ = PrepareAsync(item!, prepare);
        }
        return new EncoderLease(item!, Release);
    }

    /// <summary>Ends the thread and frees what is cached; items in flight fail with Unavailable.</summary>
    public async ValueTask DisposeAsync()
    {
        _stopping = true;
        _work.Set();
        await _ended.Task;
        List<EncoderItem> left;
        lock (_gate)
        {
            left = [.. _items.Values];
            _items.Clear();
        }
        foreach (EncoderItem item in left)
        {
            if (!item.Features.TrySetException(new MmException(MmErrorCode.Unavailable, "the encoder is shutting down")))
            {
                Free(item);
            }
        }
    }

    private async Task PrepareAsync(EncoderItem item, Func<CancellationToken, Task<EncoderInput>> prepare)
    {
        try
        {
            EncoderInput input = await prepare(item.Stop.Token);
            lock (_gate)
            {
                _queue.AddLast((item, input));
            }
            _work.Set();
        }
        catch (Exception error)
        {
            Fail(item, error);
        }
    }

    private void Loop()
    {
        if (_device.IsCpu)
        {
            Loop(null);
        }
        else
        {
            CudaContext context = CudaContext.Get(_device.Index);
            using CudaStream stream = new(context) { Deterministic = _options.Deterministic };
            using CudaContext.StreamScope current = context.Use(stream);
            Loop(stream);
        }
        _ended.TrySetResult();
    }

    private void Loop(CudaStream? stream)
    {
        while (!_stopping)
        {
            List<(EncoderItem Item, EncoderInput Input)> batch = TakeBatch();
            if (batch.Count == 0)
            {
                _work.WaitOne();
                continue;
            }
            Encode(batch, stream);
        }
    }

    // The oldest item, and all others of its shape that the cost limit admits.
    private List<(EncoderItem Item, EncoderInput Input)> TakeBatch()
    {
        List<(EncoderItem Item, EncoderInput Input)> batch = [];
        long cost = 0;
        lock (_gate)
        {
            for (LinkedListNode<(EncoderItem Item, EncoderInput Input)>? node = _queue.First; node is not null;)
            {
                LinkedListNode<(EncoderItem Item, EncoderInput Input)>? next = node.Next;
                EncoderInput input = node.Value.Input;
                bool fits = batch.Count == 0
                    || (cost + input.Cost <= _options.MaxBatchCost && input.Shape.AsSpan().SequenceEqual(batch[0].Input.Shape));
                if (node.Value.Item.Holders == 0 && fits)
                {
                    // Everybody who wanted it has gone.
                    _queue.Remove(node);
                    Drop(node.Value.Item);
                }
                else if (fits)
                {
                    _queue.Remove(node);
                    batch.Add(node.Value);
                    cost += input.Cost;
                }
                node = next;
            }
        }
        return batch;
    }

    private void Encode(List<(EncoderItem Item, EncoderInput Input)> batch, CudaStream? stream)
    {
        long start = Stopwatch.GetTimestamp();
        foreach ((EncoderItem item, _) in batch)
        {
            _options.Timings?.Began(Stopwatch.GetElapsedTime(item.AskedAt, start));
        }
        try
        {
            Tensor[] features = Run([.. batch.Select(entry => entry.Input)]);
            stream?.Synchronize(); // whoever takes them has another stream
            _options.Timings?.Computed(Stopwatch.GetElapsedTime(start));
            Batches++;
            for (int i = 0; i < batch.Count; i++)
            {
                Complete(batch[i].Item, features[i]);
            }
        }
        catch (Exception error)
        {
            if (batch.Count == 1)
            {
                Fail(batch[0].Item, error);
                return;
            }
            // One of them is at fault; the others must not suffer.
            foreach ((EncoderItem, EncoderInput) entry in batch)
            {
                Encode([entry], stream);
            }
        }
    }

    private Tensor[] Run(EncoderInput[] inputs)
    {
        Tensor[] kept = new Tensor[inputs.Length];
        using var scope = new TensorScope(recycle: false);
        Tensor input = Tensor.Empty([inputs.Length, .. inputs[0].Shape]);
        Span<float> values = input.AsSpan<float>();
        foreach (EncoderInput item in inputs)
        {
            item.Values.CopyTo(values);
            values = values[item.Values.Length..];
        }
        Tensor features = _encode(input);
        if (features.Rank != 3 || features.Size(0) != inputs.Length)
        {
            throw new InvalidOperationException($"the encoder gave {features.Shape} for a batch of {inputs.Length}");
        }
        for (int i = 0; i < kept.Length; i++)
        {
            kept[i] = scope.Keep(features.Select(0, i).Clone());
        }
        return kept;
    }

    private void Complete(EncoderItem item, Tensor features)
    {
        lock (_gate)
        {
            item.Bytes = features.DType.Bytes(features.ElementCount);
            if (!item.Features.TrySetResult(features))
            {
                features.Dispose();
            }
        }
    }

    private void Fail(EncoderItem item, Exception error)
    {
        lock (_gate)
        {
            Forget(item);
            item.Features.TrySetException(error);
        }
        // Whoever gave its lease back does not look at the fault.
        _ = item.Features.Task.Exception;
    }

    private void Hold(EncoderItem item)
    {
        if (item.Holders++ == 0 && item.IdleNode is { } node)
        {
            _idle.Remove(node);
            item.IdleNode = null;
            _idleBytes -= item.Bytes;
        }
    }

    private void Release(EncoderItem item)
    {
        lock (_gate)
        {
            if (--item.Holders > 0)
            {
                return;
            }
            if (!item.Features.Task.IsCompleted)
            {
                // Whoever asks for it from now on begins anew.
                Drop(item);
                item.Stop.Cancel();
            }
            else if (item.Features.Task.IsCompletedSuccessfully)
            {
                if (_items.GetValueOrDefault(item.Key) == item)
                {
                    Rest(item);
                }
                else
                {
                    Free(item);
                }
            }
        }
    }

    // Keeps an item that nobody holds, and lets the ones go that were idle longest while there is too much.
    private void Rest(EncoderItem item)
    {
        item.IdleNode = _idle.AddLast(item);
        _idleBytes += item.Bytes;
        while (_idleBytes > _options.CacheBytes && _idle.First is { } oldest)
        {
            _idle.Remove(oldest);
            _idleBytes -= oldest.Value.Bytes;
            oldest.Value.IdleNode = null;
            Drop(oldest.Value);
            Free(oldest.Value);
        }
    }

    private void Drop(EncoderItem item)
    {
        Forget(item);
        item.Features.TrySetCanceled();
    }

    // The key may name a newer item by now.
    private void Forget(EncoderItem item)
    {
        if (_items.GetValueOrDefault(item.Key) == item)
        {
            _items.Remove(item.Key);
        }
    }

    private static void Free(EncoderItem item)
    {
        if (item.Features.Task.IsCompletedSuccessfully)
        {
            item.Features.Task.GetAwaiter().GetResult().Dispose();
        }
    }
}
