namespace MmCluster.Models.Hub;

/// <summary>How far a pull is.</summary>
/// <param name="File">The file that moved on.</param>
/// <param name="FileDone">Its bytes that are here, earlier attempts' included.</param>
/// <param name="FileSize">Its bytes in all; null if the hub does not tell.</param>
/// <param name="Done">Bytes of all files that are here.</param>
/// <param name="Total">Bytes of all files, as far as the hub tells.</param>
/// <param name="FilesDone">Files that are complete and checked.</param>
/// <param name="Files">Files in all.</param>
public readonly record struct PullProgress(string File, long FileDone, long? FileSize, long Done, long Total, int FilesDone, int Files);

/// <summary>What a pull did.</summary>
/// <param name="Folder">Where the model is.</param>
/// <param name="Commit">The commit that was fetched.</param>
/// <param name="Files">Files of the model that are here.</param>
/// <param name="BytesFetched">Bytes that came over the network.</param>
public sealed record PullResult(string Folder, string Commit, int Files, long BytesFetched);
