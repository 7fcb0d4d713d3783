using System.Reflection;

namespace MmCluster.Cluster.Tests.Wire;

/// <summary>
/// What neighbouring releases rely on: names, ids and types of messages and grain methods. Things may be added; what stands in tests/contracts/cluster.txt
/// stays. The test says what to add there.
/// </summary>
public sealed class ContractTests
{
    private const BindingFlags Members = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    private static readonly Type[] Types = typeof(IModelCluster).Assembly.GetTypes();

    [Fact]
    public void The_contract_is_kept_and_complete()
    {
        string[] current = [.. Types.SelectMany(Lines).Order(StringComparer.Ordinal)];
        string[] contract = File.ReadAllLines(Path.Combine(TestCluster.ModelsFolder, "..", "tests", "contracts", "cluster.txt"));
        Assert.Equal([], contract.Except(current));
        Assert.True(current.SequenceEqual(contract), $"add to tests/contracts/cluster.txt:\n{string.Join('\n', current.Except(contract))}");
    }

    [Fact]
    public void Every_message_and_grain_interface_has_an_alias()
    {
        Assert.DoesNotContain(Types, type => type.GetCustomAttribute<GenerateSerializerAttribute>() is not null && Alias(type) is null);
        Assert.DoesNotContain(Types, type => type.IsInterface && typeof(IGrain).IsAssignableFrom(type) && type.GetMethods().Any(method => Alias(method) is null));
    }

    private static IEnumerable<string> Lines(Type type)
    {
        if (type.IsInterface && typeof(IGrain).IsAssignableFrom(type))
        {
            return type.GetMethods().Select(method =>
                $"method {Alias(type) ?? type.Name} {Alias(method)}({string.Join(", ", method.GetParameters().Select(parameter => Name(parameter.ParameterType)))}) {Name(method.ReturnType)}");
        }
        if (type.GetCustomAttribute<GenerateSerializerAttribute>() is null)
        {
            return [];
        }
        return type.IsEnum
            ? Enum.GetNames(type).Select(name => $"value {Alias(type)} {Convert.ToInt64(Enum.Parse(type, name))} {name}")
            : [.. Ids(type), .. Parameters(type)];
    }

    private static IEnumerable<string> Ids(Type type) => type.GetMembers(Members)
        .Select(member => (member, Id: member.GetCustomAttribute<IdAttribute>()?.Id))
        .Where(member => member.Id is not null)
        .Select(member => $"member {Alias(type)} {member.Id} {Name(member.member is FieldInfo field ? field.FieldType : ((PropertyInfo)member.member).PropertyType)} {member.member.Name}");

    // The parameters of a record's constructor are members by their place.
    private static IEnumerable<string> Parameters(Type type) => type.GetMethod("<Clone>$") is null ? [] : type.GetConstructors()
        .SelectMany(constructor => constructor.GetParameters())
        .Select(parameter => $"member {Alias(type)} parameter {parameter.Position} {Name(parameter.ParameterType)} {parameter.Name}");

    private static string? Alias(MemberInfo member) => member.GetCustomAttributes<AliasAttribute>().FirstOrDefault()?.Alias;

    private static string Name(Type type) => type.IsArray ? $"{Name(type.GetElementType()!)}[]"
        : type.IsGenericType ? $"{type.Name[..type.Name.IndexOf('`')]}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>"
        : Alias(type) ?? type.Name;
}
