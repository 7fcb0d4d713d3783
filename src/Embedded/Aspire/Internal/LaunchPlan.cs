using System.Diagnostics;
using System.Globalization;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Internal;

/// <summary>What to start for an instance: program, arguments and environment, as they are at its start.</summary>
internal static class LaunchPlan
{
    public static async Task<ProcessStartInfo> MakeAsync(Instance instance, string? builtProject, CancellationToken cancellationToken)
    {
        IResource resource = instance.Resource;
        ProcessStartInfo start = resource switch
        {
            ExecutableResource program => new ProcessStartInfo(program.Command) { WorkingDirectory = program.WorkingDirectory },
            _ when resource.All<ProjectAnnotation>().FirstOrDefault() is { } project => new ProcessStartInfo("dotnet")
            {
                WorkingDirectory = Path.GetDirectoryName(project.Path),
                ArgumentList = { builtProject! },
            },
            _ => throw new InvalidOperationException($"{resource.Name}: a {resource.GetType().Name} is nothing that could be started"),
        };
        if (!Directory.Exists(start.WorkingDirectory))
        {
            throw new InvalidOperationException($"{resource.Name}: working directory {start.WorkingDirectory} does not exist");
        }
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        foreach (ArgumentAnnotation argument in resource.All<ArgumentAnnotation>())
        {
            start.ArgumentList.Add(await ResolveAsync(argument.Value, instance, cancellationToken));
        }
        var context = new EnvironmentCallbackContext(resource, cancellationToken);
        AddEndpoints(instance, context);
        foreach (EnvironmentAnnotation annotation in resource.All<EnvironmentAnnotation>())
        {
            await annotation.Callback(context);
        }
        foreach ((string name, object value) in context.EnvironmentVariables)
        {
            start.Environment[name] = await ResolveAsync(value, instance, cancellationToken);
        }
        return start;
    }

    private static void AddEndpoints(Instance instance, EnvironmentCallbackContext context)
    {
        EndpointAnnotation[] endpoints = [.. instance.Resource.All<EndpointAnnotation>()];
        foreach (EndpointAnnotation endpoint in endpoints)
        {
            if (endpoint.Variable is { } variable)
            {
                context.EnvironmentVariables[variable] = Text(endpoint.TargetPorts[instance.Index]);
            }
        }
        if (instance.Resource is ProjectResource)
        {
            context.EnvironmentVariables["OTEL_SERVICE_NAME"] = instance.Resource.Name;
            context.EnvironmentVariables["OTEL_RESOURCE_ATTRIBUTES"] = $"service.instance.id={instance.Name}";
            string urls = string.Join(';', endpoints.Where(endpoint => endpoint.Scheme is "http" or "https")
                .Select(endpoint => $"{endpoint.Scheme}://{EndpointReference.LocalHost}:{Text(endpoint.TargetPorts[instance.Index])}"));
            if (urls.Length > 0)
            {
                context.EnvironmentVariables["ASPNETCORE_URLS"] = urls;
            }
        }
    }

    private static async Task<string> ResolveAsync(object value, Instance instance, CancellationToken cancellationToken) => value switch
    {
        string text => text,
        // A process that asks for its own port means its own, not the one shared by the replicas.
        EndpointReferenceExpression { Property: EndpointProperty.TargetPort } own when own.Endpoint.Resource == instance.Resource =>
            Text(own.Endpoint.EndpointAnnotation.TargetPorts[instance.Index]),
        IValueProvider provider => await provider.GetValueAsync(cancellationToken) ?? "",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "",
    };

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
