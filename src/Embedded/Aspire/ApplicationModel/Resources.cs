namespace Aspire.Hosting.ApplicationModel;

/// <summary>Base of resources.</summary>
public abstract class Resource : IResource
{
    private const int LongestName = 64;

    /// <summary>Creates a resource; a name has letters, digits and single hyphens, and starts with a letter.</summary>
    protected Resource(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (name.Length > LongestName || !char.IsAsciiLetter(name[0]) || name.EndsWith('-') || name.Contains("--", StringComparison.Ordinal)
            || !name.All(c => char.IsAsciiLetterOrDigit(c) || c == '-'))
        {
            throw new ArgumentException(
                $"Resource name '{name}' is invalid. Name must start with an ASCII letter, contain only ASCII letters, digits and single hyphens, " +
                $"not end with a hyphen, and have at most {LongestName} characters.",
                nameof(name));
        }
        Name = name;
    }

    /// <summary>The name.</summary>
    public virtual string Name { get; }

    /// <summary>What has been said of the resource.</summary>
    public virtual ResourceAnnotationCollection Annotations { get; } = [];
}

/// <summary>A program.</summary>
public class ExecutableResource : Resource, IResourceWithEnvironment, IResourceWithArgs, IResourceWithEndpoints, IResourceWithWaitSupport
{
    /// <summary>Creates a program.</summary>
    public ExecutableResource(string name, string command, string workingDirectory)
        : base(name)
    {
        Command = command;
        WorkingDirectory = workingDirectory;
    }

    /// <summary>The program's file.</summary>
    public string Command { get; }

    /// <summary>The folder that it runs in.</summary>
    public string WorkingDirectory { get; }
}

/// <summary>A .NET project.</summary>
public class ProjectResource : Resource, IResourceWithEnvironment, IResourceWithArgs, IResourceWithServiceDiscovery, IResourceWithWaitSupport
{
    /// <summary>Creates a project.</summary>
    public ProjectResource(string name)
        : base(name)
    {
    }
}
