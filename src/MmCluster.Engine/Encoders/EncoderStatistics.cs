namespace MmCluster.Engine.Encoders;

/// <summary>What encoders did, at one moment.</summary>
/// <param name="Queries">Media items asked for.</param>
/// <param name="Hits">Of those, how many were cached or in flight already.</param>
/// <param name="IdleBytes">Bytes of features that are kept and no request holds.</param>
public readonly record struct EncoderStatistics(long Queries, long Hits, long IdleBytes);
