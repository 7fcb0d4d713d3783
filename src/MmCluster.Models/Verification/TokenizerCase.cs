using MmCluster.Tokenizers;

namespace MmCluster.Models.Verification;

/// <summary>A tokenizer's case: vectors.json beside a tokenizer.json or tokenizer.model.</summary>
internal static class TokenizerCase
{
    public static bool Exists(string folder) => TokenizerVectors.Exist(folder);

    public static CaseResult Verify(string folder, string name)
    {
        VectorResult result = TokenizerVectors.Check(folder);
        return result.IsOk
            ? new CaseResult(name, CaseStatus.Ok, 0, "")
            : new CaseResult(name, CaseStatus.Fail, result.Checked > 0 ? 1 : null, result.Checked > 0
                ? $"{result.Failed} comparisons differ, the first: {result.Failures[0]}"
                : "no vectors to compare");
    }
}
