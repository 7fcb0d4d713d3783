using Orleans.Runtime.Internal;

namespace Orleans.Runtime.Messaging;

[Flags]
internal enum MethodTraits
{
    None = 0,
    OneWay = 1,
    ReadOnly = 2,
    AlwaysInterleave = 4,

    /// <summary>The method takes a CancellationToken.</summary>
    Cancellable = 8,

    /// <summary>No argument can change after the call, so none is copied.</summary>
    ImmutableArguments = 16,

    /// <summary>The result is never changed after it is returned, so it is not copied.</summary>
    ImmutableResult = 32,

    /// <summary>One of the runtime's own services, not a grain.</summary>
    System = 64,
}

/// <summary>What is known of a method of a grain interface; one object a method, made by the generator.</summary>
internal sealed class MethodDescriptor(string interfaceName, string name, MethodTraits traits, long timeoutTicks, Func<Request> create)
{
    public string InterfaceName { get; } = interfaceName;

    /// <summary>Alias, or name and parameter types.</summary>
    public string Name { get; } = name;

    public MethodTraits Traits { get; } = traits;

    /// <summary>From [ResponseTimeout]; null for the default.</summary>
    public TimeSpan? Timeout { get; } = timeoutTicks > 0 ? TimeSpan.FromTicks(timeoutTicks) : null;

    public uint InterfaceId { get; } = StableHash.Compute(interfaceName);

    public uint MethodId { get; } = StableHash.Compute(name);

    public bool IsOneWay => (Traits & MethodTraits.OneWay) != 0;

    public Request CreateRequest() => create();

    public override string ToString() => $"{InterfaceName}.{Name}";
}
