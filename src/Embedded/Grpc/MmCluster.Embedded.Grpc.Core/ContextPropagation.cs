namespace Grpc.Core;

/// <summary>Hands a server call's deadline and cancellation on to calls that its handler makes. Never made here.</summary>
public abstract class ContextPropagationToken
{
    internal ContextPropagationToken()
    {
    }
}

/// <summary>Which parts of a server call are handed on. Never made here.</summary>
public class ContextPropagationOptions
{
    internal ContextPropagationOptions()
    {
    }
}

/// <summary>Adds credentials to a call's metadata. Never made here: put an authorization entry into the call's headers.</summary>
public abstract class CallCredentials
{
    internal CallCredentials()
    {
    }
}
