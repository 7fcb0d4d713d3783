namespace MmCluster.Models.Verification;

/// <summary>What comparing one golden case gave.</summary>
/// <param name="Name">The case's folder name.</param>
/// <param name="Status">The verdict.</param>
/// <param name="WorstError">Largest relative error ‖out − ref‖ / ‖ref‖ over its outputs, or null where none was compared.</param>
/// <param name="Reason">What failed or is not supported; empty when all is well.</param>
public sealed record CaseResult(string Name, CaseStatus Status, double? WorstError, string Reason)
{
    /// <summary>Outputs compared, with the relative error of each; ids count 0 when equal and 1 when not.</summary>
    public IReadOnlyList<(string Output, double Error)> Outputs { get; init; } = [];
}

/// <summary>The verdict on a case.</summary>
public enum CaseStatus
{
    /// <summary>Every output is within the tolerance.</summary>
    Ok,

    /// <summary>An output differs, is not known, or the case cannot be read.</summary>
    Fail,

    /// <summary>There is no network for its class or an option of its configuration.</summary>
    Unsupported,
}

/// <summary>How goldens are compared.</summary>
public sealed record VerifyOptions
{
    /// <summary>Format of matrices: F32 or BF16.</summary>
    public Tensors.DType Matrices { get; init; } = Tensors.DType.F32;

    /// <summary>Where networks run.</summary>
    public Tensors.Device Device { get; init; } = Tensors.Device.Cpu;

    /// <summary>Largest relative error that is accepted: DESIGN 8.</summary>
    public double Tolerance => Matrices == Tensors.DType.F32 ? 1e-4 : 2e-2;

    /// <summary>Whether generated ids must be equal; in other formats they are only reported.</summary>
    public bool JudgesGreedy => Matrices == Tensors.DType.F32;
}
