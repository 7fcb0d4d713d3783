using System.Runtime.CompilerServices;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.Metrics;
using MmCluster.Gateway.Models;
using MmCluster.Models;

namespace MmCluster.Gateway.Admission;

/// <summary>Bounds a model's requests in flight, and gives each up at its deadline, whatever the model behind does.</summary>
internal sealed class AdmittedModel(IServedModel inner, AdmissionGate gate, TenantMetrics metrics, TimeProvider time) : DelegatingModel(inner)
{
    // The longest that a timer takes.
    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(49);

    public override async IAsyncEnumerable<SequenceOutput> GenerateAsync(
        ModelRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        int cost = Enter(request);
        try
        {
            using CancellationTokenSource? timer = request.Deadline is { } deadline ? new CancellationTokenSource(Until(deadline), time) : null;
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timer?.Token ?? CancellationToken.None);
            await using IAsyncEnumerator<SequenceOutput> outputs = Inner.GenerateAsync(request, stop.Token).GetAsyncEnumerator(stop.Token);
            while (await NextAsync(outputs, request, timer, cancellationToken))
            {
                yield return outputs.Current;
            }
        }
        finally
        {
            gate.Leave(request, cost);
        }
    }

    private int Enter(ModelRequest request)
    {
        try
        {
            return gate.Enter(request);
        }
        catch (MmException error)
        {
            metrics.Reject(request.Tenant, error.Code == MmErrorCode.AlreadyExists ? Rejection.DuplicateId : Rejection.QueueFull);
            throw;
        }
    }

    private async ValueTask<bool> NextAsync(
        IAsyncEnumerator<SequenceOutput> outputs, ModelRequest request, CancellationTokenSource? timer, CancellationToken cancellationToken)
    {
        try
        {
            return await outputs.MoveNextAsync();
        }
        catch (OperationCanceledException error) when (timer is { IsCancellationRequested: true } && !cancellationToken.IsCancellationRequested)
        {
            metrics.Reject(request.Tenant, Rejection.Deadline);
            throw new MmException(MmErrorCode.DeadlineExceeded, $"request '{request.Id}' was not done by its deadline", error);
        }
    }

    private TimeSpan Until(DateTimeOffset deadline)
    {
        TimeSpan left = deadline - time.GetUtcNow();
        return left < TimeSpan.Zero ? TimeSpan.Zero : left > LongestTimer ? LongestTimer : left;
    }
}
