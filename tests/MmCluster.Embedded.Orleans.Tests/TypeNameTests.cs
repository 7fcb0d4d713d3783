using System.Text;
using Orleans.Serialization;

namespace MmCluster.Embedded.Orleans.Tests;

/// <summary>Names of types that peers send.</summary>
public sealed class TypeNameTests
{
    private static readonly string[] Simple =
    [
        .. new[]
        {
            typeof(bool), typeof(byte), typeof(sbyte), typeof(short), typeof(ushort), typeof(int), typeof(uint), typeof(long), typeof(ulong), typeof(char),
            typeof(float), typeof(double), typeof(decimal), typeof(Half), typeof(Guid), typeof(DateTime), typeof(TimeSpan), typeof(Uri), typeof(Version), typeof(string), typeof(DateOnly), typeof(TimeOnly),
        }.Select(type => type.FullName!),
    ];

    [Fact]
    public void A_peer_cannot_make_endless_types()
    {
        int made = 0;
        int asked = 0;
        foreach (string a in Simple)
        {
            foreach (string b in Simple)
            {
                foreach (string c in Simple)
                {
                    asked++;
                    made += Find($"System.Collections.Generic.Dictionary`2<{a},System.Collections.Generic.Dictionary`2<{b},{c}>>") is null ? 0 : 1;
                }
            }
        }
        Assert.InRange(made, 1000, 8192);
        Assert.True(asked > made);
        // What this process writes itself it reads too.
        string own = TypeRegistry.NameOf(typeof(Dictionary<string, HashSet<Uri>[]>));
        Assert.Equal(typeof(Dictionary<string, HashSet<Uri>[]>), Find(own));
    }

    [Theory]
    [InlineData("System.Collections.Generic.List`1")]
    [InlineData("System.Collections.Generic.List`1[]")]
    [InlineData("System.Collections.Generic.List`1<>")]
    [InlineData("System.Collections.Generic.List`1<System.Int32")]
    [InlineData("System.Collections.Generic.List`1<System.Int32>x")]
    [InlineData("System.Nullable`1<System.String>")]
    [InlineData("System.Exception*")]
    [InlineData("System.Exception&")]
    [InlineData("System.IO.FileInfo")]
    [InlineData("\0")]
    [InlineData("a\\")]
    [InlineData("]")]
    [InlineData("[]")]
    [InlineData("<")]
    public void A_name_that_is_none_is_refused(string name) => Assert.Null(Find(name));

    private static Type? Find(string name) => TypeRegistry.TryTypeOf(Encoding.UTF8.GetBytes(name));
}
