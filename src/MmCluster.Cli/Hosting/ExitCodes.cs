namespace MmCluster.Cli.Hosting;

/// <summary>What a command's exit code means; errors' codes are in <see cref="Models.MmErrorTable"/>.</summary>
internal static class ExitCodes
{
    public const int Done = 0;

    /// <summary>The command ran and its answer is no.</summary>
    public const int No = 1;

    /// <summary>The caller's input is wrong.</summary>
    public const int BadInput = 2;

    /// <summary>The machine lacks something.</summary>
    public const int MachineLacks = 3;
}
