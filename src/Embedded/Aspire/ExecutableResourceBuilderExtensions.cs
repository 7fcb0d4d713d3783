using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

/// <summary>Adds programs to an application.</summary>
public static class ExecutableResourceBuilderExtensions
{
    /// <summary>Adds a program, found by PATH unless it has a folder; the working directory is relative to the app host's.</summary>
    public static IResourceBuilder<ExecutableResource> AddExecutable(
        this IDistributedApplicationBuilder builder, string name, string command, string workingDirectory, params string[]? args) =>
        Add(builder, name, command, workingDirectory).WithArgs(args ?? []);

    /// <summary>Adds a program whose arguments may be endpoints, which become their addresses.</summary>
    public static IResourceBuilder<ExecutableResource> AddExecutable(
        this IDistributedApplicationBuilder builder, string name, string command, string workingDirectory, params object[]? args) =>
        Add(builder, name, command, workingDirectory).WithArgs(args ?? []);

    private static IResourceBuilder<ExecutableResource> Add(
        IDistributedApplicationBuilder builder, string name, string command, string workingDirectory)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(command);
        ArgumentNullException.ThrowIfNull(workingDirectory);
        return builder.AddResource(new ExecutableResource(name, command, Path.GetFullPath(workingDirectory, builder.AppHostDirectory)));
    }
}
