using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;

namespace MmCluster.Embedded.Orleans.Generator;

/// <summary>
/// Keeps written code away from what only generated code may use: the stand-in's internals, which its friends could see
/// and the real packages do not have.
/// </summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class InternalUseAnalyzer : DiagnosticAnalyzer
{
    private const string StandIn = "MmCluster.Embedded.Orleans";

    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Rules.Internal];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(static start =>
        {
            // The stand-in itself and the tests of its inside.
            if (start.Compilation.AssemblyName is not (StandIn or StandIn + ".Tests"))
            {
                start.RegisterSyntaxNodeAction(Check, SyntaxKind.IdentifierName, SyntaxKind.GenericName);
            }
        });
    }

    private static void Check(SyntaxNodeAnalysisContext context)
    {
        if (context.SemanticModel.GetSymbolInfo(context.Node, context.CancellationToken).Symbol is { } symbol
            && symbol.ContainingAssembly?.Name == StandIn && IsInternal(symbol))
        {
            context.ReportDiagnostic(Diagnostic.Create(Rules.Internal, context.Node.GetLocation(), symbol.ToDisplayString()));
        }
    }

    private static bool IsInternal(ISymbol symbol)
    {
        for (ISymbol? current = symbol; current is not null and not INamespaceSymbol; current = current.ContainingSymbol)
        {
            if (current.DeclaredAccessibility is Accessibility.Internal or Accessibility.ProtectedAndInternal or Accessibility.Private)
            {
                return true;
            }
        }
        return false;
    }
}
