using System.Reflection;
using Aspire.Hosting;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Grpc.Net.Client;

namespace MmCluster.Embedded.Api.Tests;

/// <summary>The stand-ins show nothing that the originals do not have, under the same names and signatures.</summary>
public sealed class PublicApiTests
{
    public static TheoryData<string, Type> Assemblies => new()
    {
        { "Grpc.txt", typeof(Status) },
        { "Grpc.txt", typeof(GrpcServiceOptions) },
        { "Grpc.txt", typeof(GrpcChannel) },
        { "Aspire.txt", typeof(DistributedApplication) },
        { "Orleans.txt", typeof(Orleans.Grain) },
    };

    [Theory, MemberData(nameof(Assemblies))]
    public void Every_public_member_is_the_originals(string list, Type inAssembly)
    {
        ApiList api = Read(list);
        var unknown = new List<string>();
        int checkedMembers = 0;
        foreach (Type type in ApiDump.Types(inAssembly.Assembly))
        {
            string name = ApiDump.Name(type);
            string[] members = [.. ApiDump.Members(type)];
            if (!api.HasType(name))
            {
                // A type that signatures mention may be there by name; a delegate's members are the compiler's.
                bool mentioned = api.Mentions(name.Split('<')[0]);
                unknown.AddRange(!mentioned ? [name] : type.IsSubclassOf(typeof(Delegate)) ? [] : members.Where(member => !member.EndsWith("string ToString()", StringComparison.Ordinal)).Select(member => $"{name}: {member}"));
                continue;
            }
            checkedMembers += members.Length;
            unknown.AddRange(members.Where(member => !api.HasMember(name, member)).Select(member => $"{name}: {ApiList.Normalize(member)}"));
            unknown.AddRange(DifferencesOfHeader(api, type));
        }
        Assert.True(unknown.Count == 0, string.Join('\n', unknown));
        Assert.True(checkedMembers > 10, $"only {checkedMembers} members were compared");
    }

    // The other lists do not give attributes.
    [Fact]
    public void Attributes_are_the_originals()
    {
        ApiList api = Read("Orleans.txt");
        List<string> different = [];
        foreach (Type type in ApiDump.Types(typeof(Orleans.Grain).Assembly).Where(type => api.HasType(ApiDump.Name(type))))
        {
            Compare(ApiDump.Name(type), null, type);
            foreach ((string text, MemberInfo member) in ApiDump.MembersWithText(type))
            {
                Compare(ApiDump.Name(type), text, member);
            }
        }
        Assert.True(different.Count == 0, string.Join('\n', different));

        void Compare(string type, string? text, MemberInfo member)
        {
            string[] own = [.. member.CustomAttributes.Select(attribute => attribute.AttributeType.Name.Replace("Attribute", "")).Where(name => name is "Obsolete" or "Experimental" or "Alias").Order()];
            string[] originals = [.. api.AttributesOf(type, text).Order()];
            if (!own.SequenceEqual(originals))
            {
                different.Add($"{type} {text}: [{string.Join(", ", own)}], in the list [{string.Join(", ", originals)}]");
            }
        }
    }

    [Theory]
    [InlineData("Orleans.Runtime.IPlacementDirector", "const string PlacementHintKey = PlacementHintKey", true)]
    [InlineData("Orleans.Configuration.ClusterMembershipOptions", "int? MaxDefunctSiloEntries { get; set; }", true)]
    [InlineData("Orleans.Configuration.ClusterMembershipOptions", "int MaxDefunctSiloEntries { get; set; }", false)]
    [InlineData("Orleans.Messaging.IGatewayListProvider", "bool IsUpdatable { get; }", true)]
    public void The_list_tells_nullable_values_apart(string type, string member, bool there) =>
        Assert.Equal(there, Read("Orleans.txt").HasMember(type, member));

    [Fact]
    public void The_list_gives_attributes()
    {
        Assert.Equal(["Obsolete"], Read("Orleans.txt").AttributesOf("Orleans.Messaging.IGatewayListProvider", "bool IsUpdatable { get; }"));
        Assert.Equal(["Alias"], Read("Orleans.txt").AttributesOf("SiloMetadata", null));
        Assert.Equal(["Experimental"], Read("Orleans.txt").AttributesOf("RequiredMatchSiloMetadataPlacementFilterAttribute", null));
        Assert.Empty(Read("Orleans.txt").AttributesOf("Orleans.Grain", null));
    }

    [Theory]
    [InlineData("Grpc.Core.Status", "StatusCode StatusCode { get; }", true)]
    [InlineData("Grpc.Core.Status", "StatusCode StatusCode { get; set; }", false)]
    [InlineData("Grpc.Core.Metadata", "void Add(string key, string value)", true)]
    [InlineData("Grpc.Core.Metadata", "void Add(string key, object value)", false)]
    [InlineData("Grpc.Core.Metadata", "virtual void Add(string key, string value)", false)]
    public void The_list_tells_signatures_apart(string type, string member, bool there) =>
        Assert.Equal(there, Read("Grpc.txt").HasMember(type, member));

    [Theory]
    [InlineData("Microsoft.Extensions.DependencyInjection.GrpcServicesExtensions", typeof(GrpcServiceOptions))]
    [InlineData("Microsoft.AspNetCore.Builder.GrpcEndpointRouteBuilderExtensions", typeof(GrpcServiceOptions))]
    [InlineData("Microsoft.AspNetCore.Builder.GrpcServiceEndpointConventionBuilder", typeof(GrpcServiceOptions))]
    [InlineData("Grpc.Core.ServerCallContextExtensions", typeof(GrpcServiceOptions))]
    [InlineData("Microsoft.Extensions.Hosting.OrleansSiloGenericHostExtensions", typeof(Orleans.Grain))]
    [InlineData("Microsoft.Extensions.Hosting.OrleansClientGenericHostExtensions", typeof(Orleans.Grain))]
    [InlineData("Aspire.Hosting.ResourceBuilderExtensions", typeof(DistributedApplication))]
    [InlineData("Aspire.Hosting.ApplicationModel.EndpointReference", typeof(DistributedApplication))]
    [InlineData("Aspire.Hosting.IResourceWithServiceDiscovery", typeof(DistributedApplication))]
    public void Types_are_in_the_originals_namespaces(string name, Type inAssembly) => Assert.NotNull(inAssembly.Assembly.GetType(name));

    [Theory, MemberData(nameof(Assemblies))]
    public void Every_listed_type_keeps_its_namespace(string list, Type inAssembly)
    {
        string text = File.ReadAllText(PathOf(list));
        // Types without a namespace in the list are Microsoft's; the theory above names them.
        Assert.Empty(ApiDump.Types(inAssembly.Assembly)
            .Where(type => !type.IsNested && !type.Namespace!.StartsWith("Microsoft.", StringComparison.Ordinal))
            .Where(type => text.Contains($" {type.Name.Split('`')[0]}", StringComparison.Ordinal) || text.Contains($".{type.Name.Split('`')[0]}", StringComparison.Ordinal))
            .Where(type => Read(list).HasType(ApiDump.Name(type)) || text.Contains($".{type.Name.Split('`')[0]} ", StringComparison.Ordinal))
            .Where(type => !text.Contains($"{type.Namespace}.{type.Name.Split('`')[0]}", StringComparison.Ordinal))
            .Select(type => type.FullName));
    }

    private static IEnumerable<string> DifferencesOfHeader(ApiList api, Type type)
    {
        (string kind, string name, string[] bases) = ApiDump.Header(type);
        string header = api.HeaderOf(name);
        if (!header.Contains($"{kind} {name.Split('<')[0]}", StringComparison.Ordinal)
            || (kind == "class" && (header.Contains("sealed class", StringComparison.Ordinal) || header.Contains("abstract class", StringComparison.Ordinal))))
        {
            yield return $"{kind} {name}, in the list {header}";
        }
        // Fewer interfaces are fine where the original's are not listed; another base class is not.
        foreach (string unlisted in bases.Where(part => !header.Contains(ApiList.Normalize(part).Split('<')[0], StringComparison.Ordinal)))
        {
            yield return $"{name} : {unlisted}, in the list {header}";
        }
        // Some lists write all of a usage, some what the attribute's own line says.
        if (type.CustomAttributes.FirstOrDefault(attribute => attribute.AttributeType == typeof(AttributeUsageAttribute)) is { } usage
            && !header.Contains($"[Usage({string.Join(", ", [(int)usage.ConstructorArguments[0].Value!, .. usage.NamedArguments.Select(argument => $"{argument.MemberName} = {argument.TypedValue.Value}")])})]", StringComparison.Ordinal)
            && !header.Contains(FullUsage(type), StringComparison.Ordinal))
        {
            yield return $"{name}: its attribute usage, in the list {header}";
        }
    }

    private static string FullUsage(Type type)
    {
        AttributeUsageAttribute usage = type.GetCustomAttribute<AttributeUsageAttribute>(inherit: false)!;
        return $"[Usage({(int)usage.ValidOn}, AllowMultiple = {usage.AllowMultiple}, Inherited = {usage.Inherited})]";
    }

    private static ApiList Read(string list) => new(File.ReadAllText(PathOf(list)), exactNullability: list == "Orleans.txt");

    private static string PathOf(string list)
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "MmCluster.sln")))
            {
                return Path.Combine(folder.FullName, "tests", "api", list);
            }
        }
        throw new InvalidOperationException("no MmCluster.sln above the tests");
    }
}
