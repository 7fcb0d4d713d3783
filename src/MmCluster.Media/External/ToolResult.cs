namespace MmCluster.Media.External;

/// <summary>How a run of an external program ended.</summary>
/// <param name="ExitCode">Its exit status.</param>
/// <param name="ErrorText">The end of what it wrote to standard error, bounded and on one line.</param>
internal readonly record struct ToolResult(int ExitCode, string ErrorText);
