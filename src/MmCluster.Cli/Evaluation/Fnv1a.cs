using System.Text;

namespace MmCluster.Cli.Evaluation;

/// <summary>FNV-1a, 32 bits, over UTF-8: says what is held out, and seeds each item.</summary>
internal static class Fnv1a
{
    public static uint Hash(string text)
    {
        uint value = 0x811C9DC5;
        foreach (byte part in Encoding.UTF8.GetBytes(text))
        {
            value = (value ^ part) * 0x01000193;
        }
        return value;
    }
}
