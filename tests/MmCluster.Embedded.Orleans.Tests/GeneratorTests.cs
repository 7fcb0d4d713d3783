using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using MmCluster.Embedded.Orleans.Generator;

namespace MmCluster.Embedded.Orleans.Tests;

/// <summary>What the generator accepts, and what it reports.</summary>
public sealed class GeneratorTests
{
    private const string Usings = "using System.Threading; using System.Threading.Tasks; using System.Collections.Generic; using Orleans;\n";

    [Theory]
    [InlineData("ORLEANS0004", "[GenerateSerializer] public class M { public int X { get; set; } }")]
    [InlineData("ORLEANS0004", "[GenerateSerializer] public class M { private int _x = 1; public int X => _x; }")]
    [InlineData("ORLEANS0012", "[GenerateSerializer] public class M { [Id(1)] public int X; [Id(1)] public int Y; }")]
    [InlineData("ORLEANS0005", "public class N { } public interface IG : IGrainWithStringKey { Task M(N n); }")]
    [InlineData("ORLEANS0005", "public class N { } public interface IG : IGrainWithStringKey { Task<List<N>> M(); }")]
    [InlineData("ORLEANS0005", "public class N { } [GenerateSerializer] public class M { [Id(0)] public N[] X; }")]
    [InlineData("ORLEANS0109", "public interface IG : IGrainWithStringKey { Task M(CancellationToken a, CancellationToken b); }")]
    [InlineData("ORLEANS0009", "public interface IG : IGrainWithStringKey { int M(); }")]
    [InlineData("ORLEANS0009", "public interface IG : IGrainWithStringKey { void M(); }")]
    [InlineData("ORLEANS0008", "public interface IG : IGrainWithStringKey { int M { get; } }")]
    [InlineData("MM0002", "public interface IG : IGrainWithStringKey { Task M<T>(T x); }")]
    [InlineData("MM0002", "public interface IG : IGrainWithStringKey { Task M(ref int x); }")]
    [InlineData("MM0003", "public class C { [GenerateSerializer] private class M { [Id(0)] public int X; } }")]
    public void A_mistake_is_reported(string rule, string code) =>
        Assert.Contains(rule, Run(code).Diagnostics.Select(diagnostic => diagnostic.Id));

    [Theory]
    [InlineData("[GenerateSerializer] public class M { [Id(0)] public int X { get; } = 3; [Id(1)] private readonly string y = \"\"; public string Y => y; }")]
    [InlineData("[GenerateSerializer] public record R(int A, string B) { [Id(0)] public int C { get; init; } }")]
    [InlineData("[GenerateSerializer] public readonly record struct S(int A, List<string> B);")]
    [InlineData("[GenerateSerializer] public struct S { [Id(0)] public int A; [Id(1)] private List<int> b; public List<int> B => b; }")]
    [InlineData("[GenerateSerializer] public class G<T, U> where T : notnull where U : struct { [Id(0)] public Dictionary<T, U?> X { get; set; } }")]
    [InlineData("[GenerateSerializer] public abstract class B { [Id(0)] public int X { get; set; } } [GenerateSerializer] public class D : B { [Id(0)] public int Y { get; set; } }")]
    [InlineData("[GenerateSerializer] public class E : System.Exception { public E(int x) { X = x; } [Id(0)] public int X { get; } }")]
    [InlineData("[GenerateSerializer] public class Q { [Id(0)] public required int X { get; set; } }")]
    [InlineData("public enum K { A } public interface IG : IGrainWithGuidKey { ValueTask<K?> M(K k, int[] x, (int, string) t, CancellationToken c); IAsyncEnumerable<int> N(int a); Task O(); Task O(int x); }")]
    [InlineData("public interface IB<T> : IGrain { Task<T> Get(T x); } public interface IG : IB<int>, IGrainWithStringKey { } public class G : Grain, IG { public Task<int> Get(int x) => Task.FromResult(x); }")]
    [InlineData("public interface IO : IGrainObserver { void Heard(string x); Task<int> Ask(); }")]
    public void What_is_generated_compiles(string code)
    {
        (Compilation compilation, ImmutableArray<Diagnostic> diagnostics) = Run(code);
        Assert.Empty(diagnostics);
        Assert.DoesNotContain(compilation.GetDiagnostics(TestContext.Current.CancellationToken), diagnostic => diagnostic.Severity == DiagnosticSeverity.Error);
    }

    [Fact]
    public void A_second_run_without_changes_makes_nothing_new()
    {
        CSharpCompilation compilation = Compile("[GenerateSerializer] public class M { [Id(0)] public int X; }", "MmCluster.Cluster");
        GeneratorDriver driver = CSharpGeneratorDriver.Create([new OrleansGenerator().AsSourceGenerator()], driverOptions: new GeneratorDriverOptions(IncrementalGeneratorOutputKind.None, true));
        driver = driver.RunGenerators(compilation, TestContext.Current.CancellationToken);
        driver = driver.RunGenerators(compilation.AddSyntaxTrees(CSharpSyntaxTree.ParseText("// nothing", cancellationToken: TestContext.Current.CancellationToken)), TestContext.Current.CancellationToken);
        Assert.All(driver.GetRunResult().Results[0].TrackedOutputSteps.SelectMany(step => step.Value).SelectMany(step => step.Outputs),
            output => Assert.Equal(IncrementalStepRunReason.Cached, output.Reason));
    }

    [Fact]
    public void An_assembly_that_is_no_friend_is_told_so()
    {
        CSharpCompilation compilation = Compile("[GenerateSerializer] public class M { [Id(0)] public int X; }", "Stranger");
        CSharpGeneratorDriver.Create(new OrleansGenerator()).RunGeneratorsAndUpdateCompilation(
            compilation, out _, out ImmutableArray<Diagnostic> diagnostics, TestContext.Current.CancellationToken);
        Assert.Contains("MM0004", diagnostics.Select(diagnostic => diagnostic.Id));
    }

    private static (Compilation Compilation, ImmutableArray<Diagnostic> Diagnostics) Run(string code)
    {
        CSharpGeneratorDriver.Create(new OrleansGenerator()).RunGeneratorsAndUpdateCompilation(
            Compile(code, "MmCluster.Cluster"), out Compilation compilation, out ImmutableArray<Diagnostic> diagnostics, TestContext.Current.CancellationToken);
        return (compilation, diagnostics);
    }

    private static CSharpCompilation Compile(string code, string assembly) => CSharpCompilation.Create(
        assembly,
        [CSharpSyntaxTree.ParseText(Usings + code, cancellationToken: TestContext.Current.CancellationToken)],
        [.. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Select(path => MetadataReference.CreateFromFile(path))],
        new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary));
}
