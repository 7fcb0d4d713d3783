using System.Diagnostics;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.Wire;
using MmCluster.Engine;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Stages;

/// <summary>A submission on its way through a backbone, with what it holds until it ends.</summary>
internal sealed class BackboneRequest
{
    private readonly Lock _gate = new();
    private readonly List<PulledTensor> _held = [];
    private readonly TaskCompletionSource<Tensor>[] _media;
    private readonly Activity? _span;
    private readonly TaskCompletionSource _freed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _ended;

    public BackboneRequest(GenerationMessage message, GatewaySession session, int cost)
    {
        Message = message;
        Session = session;
        Cost = cost;
        Id = $"{message.Gateway}:{message.Handle}";
        Unfinished = message.Sampling.Choices;
        _span = StageTelemetry.Start("backbone", message.Trace, message.Request);
        _media = [.. message.Prompt.Where(part => part.Tokens is null)
            .Select(_ => new TaskCompletionSource<Tensor>(TaskCreationOptions.RunContinuationsAsynchronously))];
    }

    public GenerationMessage Message { get; }

    public GatewaySession Session { get; }

    /// <summary>Units of the stage's queue that it holds.</summary>
    public int Cost { get; }

    /// <summary>Its name in the engine.</summary>
    public string Id { get; }

    /// <summary>Choices that have not ended.</summary>
    public int Unfinished { get; set; }

    /// <summary>Completes when nothing of it is left.</summary>
    public Task Freed => _freed.Task;

    public EngineRequest ToEngineRequest()
    {
        var prompt = new PromptPiece[Message.Prompt.Length];
        int item = 0;
        for (int i = 0; i < prompt.Length; i++)
        {
            ref readonly PromptPart part = ref Message.Prompt[i];
            prompt[i] = part.Tokens is { } tokens
                ? new PromptPiece.Tokens(tokens)
                : new PromptPiece.Media(new MediaInput(part.MediaKey, part.MediaLength, part.Placeholder, _media[item++].Task) { Bidirectional = part.Bidirectional });
        }
        return new EngineRequest
        {
            Id = Id,
            Prompt = prompt,
            DecoderPrompt = Message.DecoderPrompt,
            Sampling = Message.Sampling,
            Tenant = Message.Tenant,
            CacheSalt = Message.CacheSalt,
            Priority = Message.Priority,
            Deadline = Message.Deadline,
            Emitted = Message.Emitted is { } emitted ? [.. emitted.Select(ids => (ReadOnlyMemory<int>)ids)] : [],
        };
    }

    /// <summary>Features arrived. They are kept until the request ends; a second supply of an item is let go.</summary>
    public void Supply(int item, PulledTensor features)
    {
        lock (_gate)
        {
            if (_ended || (uint)item >= (uint)_media.Length || _media[item].Task.IsCompleted)
            {
                features.Dispose();
                return;
            }
            _held.Add(features);
        }
        _media[item].TrySetResult(features.Tensor);
    }

    /// <summary>The engine has let go of it.</summary>
    public void End()
    {
        lock (_gate)
        {
            _ended = true;
            _span?.Dispose();
            foreach (PulledTensor held in _held)
            {
                held.Dispose();
            }
            _held.Clear();
        }
        foreach (TaskCompletionSource<Tensor> media in _media)
        {
            media.TrySetCanceled();
        }
    }

    /// <summary>Its place in the queue is free, too.</summary>
    public void Left() => _freed.TrySetResult();
}
