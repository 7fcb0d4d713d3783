namespace MmCluster.Models.Hub;

/// <summary>A file of a model on a hub, as the hub announces it.</summary>
/// <param name="Path">Relative to the model, with '/'; checked by <see cref="HubPath"/>.</param>
/// <param name="Size">Bytes; null if not announced.</param>
/// <param name="Digest">What its content must hash to; null if not announced.</param>
public sealed record HubFile(string Path, long? Size, HubDigest? Digest);

/// <summary>A model at one revision.</summary>
/// <param name="Id">The model.</param>
/// <param name="Commit">The revision's commit; what was asked for, if the hub does not tell.</param>
/// <param name="Files">Its files, each path once.</param>
public sealed record HubSnapshot(HubModelId Id, string Commit, IReadOnlyList<HubFile> Files);
