using MmCluster.Tensors;

namespace MmCluster.Models.Verification;

/// <summary>A network run on a case's inputs; it computes what is asked for and keeps what it has.</summary>
internal interface IGoldenRun : IDisposable
{
    /// <summary>The output called <paramref name="name"/>, F32 or I64 for ids, or null where the network has none of that name. The caller disposes it.</summary>
    /// <param name="name">Without <c>out.</c>.</param>
    /// <param name="expected">Dimensions of the reference: how many ids to generate.</param>
    Tensor? Output(string name, IReadOnlyList<long> expected);
}
