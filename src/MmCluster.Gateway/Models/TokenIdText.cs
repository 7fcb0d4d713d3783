namespace MmCluster.Gateway.Models;

/// <summary>What stands for a token's text where no tokenizer is: vLLM's form, so that logprobs of different tokens keep different keys.</summary>
internal static class TokenIdText
{
    public static string Of(int token) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"token_id:{token}");
}
