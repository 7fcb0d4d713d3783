using MmCluster.Engine.Hosting;

namespace MmCluster.Gateway.Admission;

/// <summary>A request's place at an <see cref="AdmissionGate"/>.</summary>
/// <param name="request">Whose.</param>
/// <param name="cost">Units of the queue that it takes.</param>
/// <param name="choices">Of the model's running choices that it takes.</param>
internal sealed class AdmissionTicket(ModelRequest request, int cost, int choices)
{
    private TaskCompletionSource? _turn;

    public string Id => request.Id;

    public string Tenant => request.Tenant;

    public int Priority => request.Priority;

    public int Cost => cost;

    public int Choices => choices;

    /// <summary>Ends when its turn has come, or with why it was turned down. Made by whoever asks first, under the gate's lock: most never wait.</summary>
    public TaskCompletionSource Turn => _turn ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
}
