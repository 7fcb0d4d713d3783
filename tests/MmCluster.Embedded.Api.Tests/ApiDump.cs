using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace MmCluster.Embedded.Api.Tests;

/// <summary>Writes what an assembly shows to others in the lists' form.</summary>
internal static class ApiDump
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly Dictionary<Type, string> Keywords = new()
    {
        [typeof(void)] = "void",
        [typeof(string)] = "string",
        [typeof(object)] = "object",
        [typeof(bool)] = "bool",
        [typeof(byte)] = "byte",
        [typeof(int)] = "int",
        [typeof(uint)] = "uint",
        [typeof(long)] = "long",
        [typeof(ulong)] = "ulong",
        [typeof(short)] = "short",
        [typeof(ushort)] = "ushort",
        [typeof(float)] = "float",
        [typeof(double)] = "double",
        [typeof(char)] = "char",
    };

    /// <summary>The types that other assemblies can name.</summary>
    public static IEnumerable<Type> Types(Assembly assembly) => assembly.GetTypes().Where(IsVisible);

    /// <summary>What the type declares for others; overrides say nothing new.</summary>
    public static IEnumerable<string> Members(Type type) => MembersWithText(type).Select(pair => pair.Text);

    /// <summary>The same, with what each text says.</summary>
    public static IEnumerable<(string Text, MemberInfo Member)> MembersWithText(Type type)
    {
        if (type.IsEnum)
        {
            foreach (string name in Enum.GetNames(type))
            {
                yield return ($"{name} = {Convert.ToInt64(Enum.Parse(type, name), CultureInfo.InvariantCulture)}", type.GetField(name)!);
            }
            yield break;
        }
        foreach (ConstructorInfo constructor in type.GetConstructors(Declared).Where(constructor => !constructor.IsStatic && IsVisible(constructor)))
        {
            yield return (Access(constructor) + Name(type).Split('<')[0] + Parameters(constructor), constructor);
        }
        foreach (PropertyInfo property in type.GetProperties(Declared).Where(property => property.GetAccessors(true).Any(IsVisible)))
        {
            MethodInfo accessor = property.GetAccessors(true).First(IsVisible);
            if (!IsOverride(accessor))
            {
                bool set = property.SetMethod is { } setter && IsVisible(setter);
                yield return ($"{Modifiers(accessor)}{Name(property.PropertyType)} {property.Name} {{ get; {(!set ? "" : IsInit(property.SetMethod!) ? "init; " : "set; ")}}}", property);
            }
        }
        foreach (FieldInfo field in type.GetFields(Declared).Where(field => field.IsPublic || field.IsFamily || field.IsFamilyOrAssembly))
        {
            yield return (field.IsLiteral
                ? $"const {Name(field.FieldType)} {field.Name} = {field.GetRawConstantValue()}"
                : $"{(field.IsStatic ? "static " : "")}{Name(field.FieldType)} {field.Name}", field);
        }
        foreach (MethodInfo method in type.GetMethods(Declared).Where(method => IsVisible(method) && !method.IsSpecialName))
        {
            if (!IsOverride(method))
            {
                yield return ($"{Modifiers(method)}{Name(method.ReturnType)} {method.Name}{Generics(method)}{Parameters(method)}", method);
            }
        }
    }

    /// <summary>Kind, name, base class and interfaces of its own.</summary>
    public static (string Kind, string Name, string[] Bases) Header(Type type)
    {
        string kind = type switch
        {
            { IsInterface: true } => "interface",
            { IsEnum: true } => "enum",
            { IsValueType: true } => "struct",
            _ when type.IsSubclassOf(typeof(Delegate)) => "delegate",
            { IsAbstract: true, IsSealed: true } => "static class",
            { IsAbstract: true } => "abstract class",
            { IsSealed: true } => "sealed class",
            _ => "class",
        };
        IEnumerable<Type> bases = type.GetInterfaces().Except(type.BaseType?.GetInterfaces() ?? []).Where(IsVisible);
        if (type.BaseType is { } parent && parent != typeof(object) && !type.IsValueType)
        {
            bases = bases.Prepend(parent);
        }
        return (kind, Name(type), type.IsEnum ? [] : [.. bases.Select(Name)]);
    }

    public static string Name(Type type)
    {
        if (Keywords.TryGetValue(type, out string? keyword))
        {
            return keyword;
        }
        if (type.IsByRef)
        {
            return Name(type.GetElementType()!);
        }
        if (type.IsArray)
        {
            return Name(type.GetElementType()!) + "[]";
        }
        if (Nullable.GetUnderlyingType(type) is { } value)
        {
            return Name(value) + "?";
        }
        // A nested type is written without the arguments, its own or its outer type's.
        string simple = type.Name.Split('`')[0];
        return type.IsGenericParameter || !type.IsGenericType || type.IsNested
            ? simple
            : $"{simple}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>";
    }

    private static bool IsVisible(Type type) =>
        type.IsNested ? (type.IsNestedPublic || type.IsNestedFamily || type.IsNestedFamORAssem) && IsVisible(type.DeclaringType!) : type.IsPublic;

    private static bool IsVisible(MethodBase method) =>
        (method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly) && !method.Name.Contains('<');

    private static bool IsOverride(MethodInfo method) =>
        method.GetBaseDefinition().DeclaringType != method.DeclaringType && method.Name != nameof(ToString);

    private static string Access(MethodBase method) => method.IsPublic ? "" : "protected ";

    private static bool IsInit(MethodInfo setter) =>
        setter.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit));

    private static string Modifiers(MethodInfo method) => method.DeclaringType!.IsInterface && !method.IsStatic ? "" : Access(method) + method switch
    {
        { IsStatic: true } => "static ",
        { IsAbstract: true } => "abstract ",
        { IsVirtual: true, IsFinal: false } => "virtual ",
        _ => "",
    };

    private static string Generics(MethodInfo method) =>
        method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(Name))}>" : "";

    private static string Parameters(MethodBase method)
    {
        bool extension = method.IsDefined(typeof(ExtensionAttribute));
        return $"({string.Join(", ", method.GetParameters().Select(parameter =>
            (extension && parameter.Position == 0 ? "this " : "")
            + (parameter.IsDefined(typeof(ParamArrayAttribute)) ? "params " : "")
            + (parameter.IsOut ? "out " : parameter.ParameterType.IsByRef ? "ref " : "")
            + $"{Name(parameter.ParameterType)} {parameter.Name}{Default(parameter)}"))})";
    }

    private static string Default(ParameterInfo parameter) => !parameter.HasDefaultValue ? "" : parameter.RawDefaultValue switch
    {
        null => " = default",
        bool flag => flag ? " = true" : " = false",
        string text => $" = \"{text}\"",
        object value => $" = {Convert.ToInt64(value, CultureInfo.InvariantCulture)}",
    };
}
