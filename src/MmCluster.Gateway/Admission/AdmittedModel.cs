using System.Runtime.CompilerServices;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.Metrics;
using MmCluster.Gateway.Models;
using MmCluster.Models;

namespace MmCluster.Gateway.Admission;

/// <summary>Bounds a model's requests in flight, has tenants take turns, and gives each request up at its deadline, whatever the model behind does.</summary>
internal sealed class AdmittedModel(IServedModel inner, AdmissionGate gate, TenantMetrics metrics, TimeProvider time) : DelegatingModel(inner)
{
    // The longest that a timer takes.
    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(49);

    /// <summary>Requests that wait here for others to end.</summary>
    public override int Waiting => gate.Waiting + Inner.Waiting;

    public override async IAsyncEnumerable<SequenceOutput> GenerateAsync(
        ModelRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using CancellationTokenSource? timer = request.Deadline is { } deadline ? new CancellationTokenSource(Until(deadline), time) : null;
        using CancellationTokenSource? both = timer is null ? null : CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timer.Token);
        CancellationToken stop = both?.Token ?? cancellationToken;
        Task<AdmissionTicket> entering = EnterAsync(request, timer, stop, cancellationToken).AsTask();
        AdmissionTicket? ticket = null;
        try
        {
            if (request.ReportProgress && !entering.IsCompleted)
            {
                yield return new RequestProgress(RequestProgress.Queued, 0, 1).EntryOf(request.Id);
            }
            ticket = await entering;
            metrics.Running(request.Tenant, 1);
            await using IAsyncEnumerator<SequenceOutput> outputs = Inner.GenerateAsync(request, stop).GetAsyncEnumerator(stop);
            while (await NextAsync(outputs, request, timer, cancellationToken))
            {
                SequenceOutput output = outputs.Current;
                yield return output.Error is { } error ? output with { Error = MediaFault.Locate(error, request) } : output;
            }
        }
        finally
        {
            if (ticket is not null)
            {
                metrics.Running(request.Tenant, -1);
                gate.Leave(ticket);
            }
            else
            {
                _ = LeaveLateAsync(entering);
            }
        }
    }

    // Somebody who read no further while it waited: its turn may come all the same.
    private async Task LeaveLateAsync(Task<AdmissionTicket> entering)
    {
        try
        {
            gate.Leave(await entering);
        }
        catch (Exception error) when (error is MmException or OperationCanceledException)
        {
            // It has not entered, and holds nothing.
        }
    }

    private async ValueTask<AdmissionTicket> EnterAsync(
        ModelRequest request, CancellationTokenSource? timer, CancellationToken stop, CancellationToken cancellationToken)
    {
        metrics.Waiting(request.Tenant, 1);
        try
        {
            return await gate.EnterAsync(request, stop);
        }
        catch (MmException error)
        {
            metrics.Reject(request.Tenant, error.Code == MmErrorCode.AlreadyExists ? Rejection.DuplicateId : Rejection.QueueFull);
            throw;
        }
        catch (OperationCanceledException error) when (IsLate(timer, cancellationToken))
        {
            throw Late(request, error);
        }
        finally
        {
            metrics.Waiting(request.Tenant, -1);
        }
    }

    private async ValueTask<bool> NextAsync(
        IAsyncEnumerator<SequenceOutput> outputs, ModelRequest request, CancellationTokenSource? timer, CancellationToken cancellationToken)
    {
        try
        {
            return await outputs.MoveNextAsync();
        }
        catch (MmException error)
        {
            throw MediaFault.Locate(error, request);
        }
        catch (OperationCanceledException error) when (IsLate(timer, cancellationToken))
        {
            throw Late(request, error);
        }
    }

    private static bool IsLate(CancellationTokenSource? timer, CancellationToken cancellationToken) =>
        timer is { IsCancellationRequested: true } && !cancellationToken.IsCancellationRequested;

    private MmException Late(ModelRequest request, OperationCanceledException error)
    {
        metrics.Reject(request.Tenant, Rejection.Deadline);
        return new MmException(MmErrorCode.DeadlineExceeded, $"request '{request.Id}' was not done by its deadline", error);
    }

    private TimeSpan Until(DateTimeOffset deadline)
    {
        TimeSpan left = deadline - time.GetUtcNow();
        return left < TimeSpan.Zero ? TimeSpan.Zero : left > LongestTimer ? LongestTimer : left;
    }
}
