using System.Diagnostics;

namespace MmCluster.Tensors;

/// <summary>
/// Owns the tensors made on this thread while it is the innermost scope, and disposes them at its end, except those that
/// <see cref="Keep"/> handed out. Scopes nest; they end in reverse order on the thread that began them (a ref struct cannot cross an await).
/// </summary>
/// <remarks>
/// A recycling scope also reuses the objects behind tensors, so that a step that does what the step before it did allocates nothing on the
/// managed heap; scopes inside it recycle too. The price: a reference kept past the scope's end throws until its object is reused, then it
/// shows another tensor.
/// </remarks>
public readonly ref struct TensorScope
{
    private readonly ScopeStack _stack;
    private readonly int _depth;

    /// <summary>Begins a scope.</summary>
    public TensorScope()
        : this(recycle: false)
    {
    }

    /// <summary>Begins a scope that may reuse the objects behind tensors.</summary>
    public TensorScope(bool recycle)
    {
        _stack = ScopeStack.Current;
        _depth = _stack.Push(recycle);
    }

    /// <summary>Lets a tensor outlive this scope: it moves to the scope around this one, or to the caller, who then disposes it.</summary>
    /// <returns>The same tensor.</returns>
    public Tensor Keep(Tensor tensor)
    {
        Debug.Assert(_stack == ScopeStack.Current, "a scope is used on the thread that began it");
        tensor.ThrowIfDisposed();
        _stack.MoveOut(tensor, _depth);
        return tensor;
    }

    /// <summary>Disposes what was made inside and not kept.</summary>
    /// <exception cref="InvalidOperationException">A scope inside this one has not ended, or this one already has.</exception>
    public void Dispose() => _stack?.Pop(_depth);
}

/// <summary>The scopes of one thread, and the spare objects of its recycling ones.</summary>
internal sealed class ScopeStack
{
    private const int MaxSpares = 16384;

    [ThreadStatic]
    private static ScopeStack? _current;

    private readonly List<Frame> _frames = [];
    private readonly Stack<Tensor> _spareTensors = new();
    private readonly Stack<Storage> _spareStorages = new();
    private int _depth;

    internal static ScopeStack Current => _current ??= new ScopeStack();

    private bool Recycles => _depth > 0 && _frames[_depth - 1].Recycles;

    internal int Push(bool recycle)
    {
        recycle |= Recycles;
        if (_frames.Count == _depth)
        {
            _frames.Add(new Frame());
        }

        _frames[_depth].Recycles = recycle;
        return ++_depth;
    }

    internal void Pop(int depth)
    {
        if (depth != _depth || this != _current)
        {
            throw new InvalidOperationException(
                $"tensor scope: scopes end once and in reverse order, on their thread; this is number {depth}, open are {_depth}");
        }

        Frame frame = _frames[_depth - 1];
        foreach (Tensor tensor in frame.Tensors)
        {
            tensor.Owner = null;
            tensor.Dispose();
            if (frame.Recycles && _spareTensors.Count < MaxSpares)
            {
                _spareTensors.Push(tensor);
            }
        }

        frame.Tensors.Clear();
        _depth--;
    }

    /// <summary>A tensor object for the innermost scope to own: a spare one if that scope recycles.</summary>
    internal Tensor Take()
    {
        Tensor tensor = Recycles && _spareTensors.TryPop(out Tensor? spare) ? spare : new Tensor();
        if (_depth > 0)
        {
            Own(tensor, _depth);
        }

        return tensor;
    }

    internal Storage TakeStorage() => Recycles && _spareStorages.TryPop(out Storage? spare) ? spare : new Storage();

    /// <summary>Takes back a storage object whose memory is gone.</summary>
    internal void Recycle(Storage storage)
    {
        if (Recycles && _spareStorages.Count < MaxSpares)
        {
            _spareStorages.Push(storage);
        }
    }

    internal void MoveOut(Tensor tensor, int depth)
    {
        if (tensor.Owner is not { } owner || owner.Stack != this || owner.Depth < depth)
        {
            return; // nobody's, another thread's, or an outer scope's already
        }

        Forget(tensor);
        if (depth > 1)
        {
            Own(tensor, depth - 1);
        }
    }

    /// <summary>Takes a disposed tensor off its scope's list, unless the scope will want its object back.</summary>
    internal static void Forget(Tensor tensor)
    {
        Frame frame = tensor.Owner!;
        List<Tensor> tensors = frame.Tensors;
        Tensor last = tensors[^1];
        tensors[tensor.OwnerIndex] = last;
        last.OwnerIndex = tensor.OwnerIndex;
        tensors.RemoveAt(tensors.Count - 1);
        tensor.Owner = null;
    }

    private void Own(Tensor tensor, int depth)
    {
        Frame frame = _frames[depth - 1];
        frame.Stack = this;
        frame.Depth = depth;
        tensor.Owner = frame;
        tensor.OwnerIndex = frame.Tensors.Count;
        frame.Tensors.Add(tensor);
    }

    internal sealed class Frame
    {
        internal readonly List<Tensor> Tensors = [];
        internal ScopeStack? Stack;
        internal int Depth;
        internal bool Recycles;
    }
}
