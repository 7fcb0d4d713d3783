using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Status;
using MmCluster.Cluster.TensorLink;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Models;

namespace MmCluster.Cluster;

/// <summary>
/// The cluster as a gateway and the command line see it: models by name, whatever nodes their stages are on. It runs in its caller's process and keeps
/// itself up to date. Safe to call from any thread.
/// </summary>
public interface IModelCluster
{
    /// <summary>The deployed models, in order of their names; a new list after each change.</summary>
    IReadOnlyList<ClusterModel> Models { get; }

    /// <summary>Completes when the cluster was reached and <see cref="Models"/> is filled for the first time.</summary>
    Task ConnectedAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Runs one request. Entries of its choices come interleaved; each choice ends with one that has a finish reason. A replica that is lost on the
    /// way is replaced by another with no token lost or repeated. Stopping the enumeration early, or cancelling, frees the request's work everywhere.
    /// Only one enumeration a call.
    /// </summary>
    /// <exception cref="MmException">
    /// Refused before the first entry: NotFound (no such model or revision), InvalidArgument, AlreadyExists (the id is in flight), Unavailable (a stage's queue is
    /// full, or no replica is ready; try again). Later failures are entries of finish Error.
    /// </exception>
    IAsyncEnumerable<SequenceOutput> GenerateAsync(string model, ModelRequest request, CancellationToken cancellationToken);

    /// <summary>Runs one media item through the model's encoder and projectors: [positions, width] in F32. Dispose it when done.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="revision">Which of its running revisions; empty is the current one.</param>
    /// <param name="media">The item.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="MmException">NotFound, InvalidArgument (the model does not take such media, or they are broken), Unavailable.</exception>
    Task<PulledTensor> EncodeAsync(string model, string revision, MediaItem media, CancellationToken cancellationToken);

    /// <summary>
    /// Makes this what the cluster should run under the deployment's name. A changed one is rolled out: its replicas are loaded beside the old ones,
    /// take over when they are ready, and the old ones end when their requests have. Returns when that is written down, not when it is done.
    /// </summary>
    /// <exception cref="MmException">InvalidArgument: the deployment says something impossible.</exception>
    Task DeployAsync(ModelDeployment deployment, CancellationToken cancellationToken);

    /// <summary>Ends a model: no new requests, its replicas end when theirs have. An unknown name is ignored.</summary>
    Task RemoveAsync(string model, CancellationToken cancellationToken);

    /// <summary>Sets how many replicas a component has, and remembers it over restarts. Returns how many there should have been before.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="component">A component's name in the model's card, or <see cref="ModelDeployment.BackboneComponent"/>.</param>
    /// <param name="replicas">At least 1.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <exception cref="MmException">NotFound: no such model or component; InvalidArgument: not within the deployment's limits.</exception>
    Task<int> ScaleAsync(string model, string component, int replicas, CancellationToken cancellationToken);

    /// <summary>
    /// Takes a node out of service (its name or address): nothing new is placed or routed there, its stages move to others and end when their requests
    /// have. Gives progress until nothing is left on it. Asking again goes on with the same drain.
    /// </summary>
    /// <exception cref="MmException">NotFound: no such node.</exception>
    IAsyncEnumerable<DrainProgress> DrainAsync(string node, CancellationToken cancellationToken);

    /// <summary>Nodes, stages, replicas and load.</summary>
    Task<ClusterStatus> StatusAsync(CancellationToken cancellationToken);
}
