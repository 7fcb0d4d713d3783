using MmCluster.Engine.Scheduling;
using MmCluster.Engine.Simulation;
using MmCluster.Models;

namespace MmCluster.Engine.Tests.Simulation;

/// <summary>Drives an engine step by step on one thread in virtual time and keeps what came out.</summary>
internal sealed class EngineDriver : IDisposable
{
    private readonly StepOutputs _outputs = new();
    private readonly Queue<RequestState> _settled = new();

    private readonly IModelExecutor _executor;

    public EngineDriver(SimulationProfile profile, EngineOptions options, Func<IModelExecutor, IModelExecutor>? wrap = null)
    {
        SimulatedExecutor executor = new(profile, Time) { VerifyContext = true };
        _executor = wrap is null ? executor : wrap(executor);
        Core = new EngineCore(_executor, options, Time) { MediaSettled = Settle };
    }

    public EngineDriver(IModelExecutor executor, EngineOptions options)
    {
        _executor = executor;
        Core = new EngineCore(executor, options, Time) { MediaSettled = Settle };
    }

    public VirtualTime Time { get; } = new();

    public EngineCore Core { get; }

    /// <summary>What each choice gave, by request id and choice.</summary>
    public Dictionary<(string Id, int Choice), Collected> Results { get; } = [];

    public void Submit(EngineRequest request)
    {
        Core.Add(Core.Prepare(request), _outputs);
        Collect();
    }

    public void Cancel(string id)
    {
        Core.Cancel(id, _outputs);
        Collect();
    }

    /// <summary>One step; false when there was nothing to do.</summary>
    public bool Step()
    {
        while (true)
        {
            RequestState? request;
            lock (_settled)
            {
                if (!_settled.TryDequeue(out request))
                {
                    break;
                }
            }
            Core.MediaChanged(request, _outputs);
        }
        Core.ExpireDeadlines(_outputs);
        bool more = Core.Step(_outputs);
        Collect();
        return more;
    }

    public void RunToEnd(int atMost = 100_000)
    {
        while (Step())
        {
            Assert.True(--atMost > 0, "the engine does not come to an end");
        }
    }

    public void Dispose() => _executor.Dispose();

    private void Settle(RequestState request)
    {
        lock (_settled)
        {
            _settled.Enqueue(request);
        }
    }

    private void Collect()
    {
        foreach (SequenceOutput output in _outputs.Outputs)
        {
            (string, int) key = (output.RequestId, output.Choice);
            if (!Results.TryGetValue(key, out Collected? collected))
            {
                Results.Add(key, collected = new Collected { FirstNumber = output.SequenceNumber });
            }
            Assert.Null(collected.Finish);
            Assert.Equal(collected.FirstNumber + collected.Tokens.Count, output.SequenceNumber);
            collected.Tokens.AddRange(output.TokenIds.Span);
            collected.Logprobs.AddRange(output.Logprobs?.Select(logprob => logprob.Chosen.Logprob) ?? []);
            collected.Text += output.Text;
            collected.Finish = output.Finish;
            collected.Usage = output.Usage;
            collected.Error = output.Error;
        }
        _outputs.Outputs.Clear();
        _outputs.Ids.Clear();
    }
}

internal sealed class Collected
{
    public int FirstNumber { get; init; }

    public List<int> Tokens { get; } = [];

    /// <summary>Those of the tokens, where asked for.</summary>
    public List<float> Logprobs { get; } = [];

    public string Text { get; set; } = "";

    public FinishReason? Finish { get; set; }

    public Usage? Usage { get; set; }

    public MmException? Error { get; set; }
}

internal static class Requests
{
    public static EngineRequest Of(string id, int[] prompt, int maxTokens, Func<SamplingParameters, SamplingParameters>? change = null) => new()
    {
        Id = id,
        Prompt = [new PromptPiece.Tokens(prompt)],
        Sampling = (change ?? (sampling => sampling))(new SamplingParameters { MaxTokens = maxTokens, Temperature = 0 }),
    };

    public static int[] Prompt(int length, int seed = 1) => [.. Enumerable.Range(0, length).Select(i => ((i * 31) + seed) % 97)];
}
