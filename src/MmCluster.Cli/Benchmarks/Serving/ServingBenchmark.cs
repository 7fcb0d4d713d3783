namespace MmCluster.Cli.Benchmarks.Serving;

/// <summary>Sends a workload at its rate and concurrency and gathers what each request took.</summary>
internal sealed class ServingBenchmark(ServingOptions options, HttpClient http, TimeProvider time)
{
    // Servers that do not tell their vocabulary get ids that any known tokenizer has.
    private const int SmallestKnownVocabulary = 859;

    /// <summary>Runs it; <paramref name="onDone"/> is called with each finished request, from any thread.</summary>
    public async Task<ServingResult> RunAsync(Action<RequestTiming>? onDone, CancellationToken cancellationToken)
    {
        var client = new StreamingClient(http, options, time);
        (string model, int? vocabulary) = await client.FindModelAsync(cancellationToken);
        var workload = new ServingWorkload(options, model, options.VocabularySize ?? vocabulary ?? SmallestKnownVocabulary);
        for (int i = 0; i < options.WarmupCount; i++)
        {
            await client.SendAsync(workload.Route, workload.Next(), cancellationToken);
        }
        // Bodies are made before the clock starts: making them must not slow the arrivals.
        byte[][] bodies = [.. Enumerable.Range(0, options.PromptCount).Select(_ => workload.Next())];
        var arrivals = new ArrivalProcess(options.RequestRate, options.Burstiness, new Random(options.Seed + 2));
        using var slots = new SemaphoreSlim(options.MaxConcurrency ?? int.MaxValue);
        var running = new List<Task<RequestTiming>>(bodies.Length);
        long start = time.GetTimestamp();
        TimeSpan due = TimeSpan.Zero;
        foreach (byte[] body in bodies)
        {
            due += arrivals.NextGap();
            TimeSpan wait = due - time.GetElapsedTime(start);
            if (wait > TimeSpan.Zero)
            {
                await Task.Delay(wait, time, cancellationToken);
            }
            await slots.WaitAsync(cancellationToken);
            running.Add(SendAsync(body));
        }
        RequestTiming[] requests = await Task.WhenAll(running);
        return new ServingResult(model, requests, time.GetElapsedTime(start));

        async Task<RequestTiming> SendAsync(byte[] body)
        {
            try
            {
                RequestTiming timing = await client.SendAsync(workload.Route, body, cancellationToken);
                onDone?.Invoke(timing);
                return timing;
            }
            finally
            {
                slots.Release();
            }
        }
    }
}

/// <summary>What a run measured.</summary>
internal sealed record ServingResult(string Model, IReadOnlyList<RequestTiming> Requests, TimeSpan Duration);
