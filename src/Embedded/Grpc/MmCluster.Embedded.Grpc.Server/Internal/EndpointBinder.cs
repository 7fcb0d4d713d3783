using System.Reflection;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Maps each method that generated code, or a definition, tells of.</summary>
internal sealed class EndpointBinder<TService> : ServiceBinderBase
    where TService : class
{
    private readonly IEndpointRouteBuilder _routes;
    private readonly MethodOptions _options;
    private readonly CallServices _services;
    private readonly List<IEndpointConventionBuilder> _endpoints = [];
    private readonly HashSet<string> _serviceNames = [];

    public EndpointBinder(IEndpointRouteBuilder routes)
    {
        _routes = routes;
        IServiceProvider services = routes.ServiceProvider;
        _options = MethodOptions.Create(
            services.GetRequiredService<IOptions<GrpcServiceOptions>>().Value,
            services.GetRequiredService<IOptions<GrpcServiceOptions<TService>>>().Value);
        _services = new CallServices(
            services.GetService<TimeProvider>() ?? TimeProvider.System,
            services.GetRequiredService<ILoggerFactory>().CreateLogger("Grpc.AspNetCore.Server.ServerCallHandler"));
    }

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse>? handler)
    {
        Func<HttpContext, TRequest, ServerCallContext, Task<TResponse>> invoke;
        if (handler is not null)
        {
            invoke = (_, request, context) => handler(request, context);
        }
        else
        {
            var open = ServiceMethods.Open<TService, Func<TService, TRequest, ServerCallContext, Task<TResponse>>>(
                method.Name, typeof(TRequest), typeof(ServerCallContext));
            invoke = (http, request, context) => open(ServiceActivator<TService>.Get(http), request, context);
        }
        Map(method, new UnaryHandler<TRequest, TResponse>(method, _options, _services, invoke), typeof(TRequest), typeof(ServerCallContext));
    }

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ClientStreamingServerMethod<TRequest, TResponse>? handler)
    {
        Func<HttpContext, IAsyncStreamReader<TRequest>, ServerCallContext, Task<TResponse>> invoke;
        if (handler is not null)
        {
            invoke = (_, requests, context) => handler(requests, context);
        }
        else
        {
            var open = ServiceMethods.Open<TService, Func<TService, IAsyncStreamReader<TRequest>, ServerCallContext, Task<TResponse>>>(
                method.Name, typeof(IAsyncStreamReader<TRequest>), typeof(ServerCallContext));
            invoke = (http, requests, context) => open(ServiceActivator<TService>.Get(http), requests, context);
        }
        Map(
            method,
            new ClientStreamingHandler<TRequest, TResponse>(method, _options, _services, invoke),
            typeof(IAsyncStreamReader<TRequest>),
            typeof(ServerCallContext));
    }

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse>? handler)
    {
        Func<HttpContext, TRequest, IServerStreamWriter<TResponse>, ServerCallContext, Task> invoke;
        if (handler is not null)
        {
            invoke = (_, request, responses, context) => handler(request, responses, context);
        }
        else
        {
            var open = ServiceMethods.Open<TService, Func<TService, TRequest, IServerStreamWriter<TResponse>, ServerCallContext, Task>>(
                method.Name, typeof(TRequest), typeof(IServerStreamWriter<TResponse>), typeof(ServerCallContext));
            invoke = (http, request, responses, context) => open(ServiceActivator<TService>.Get(http), request, responses, context);
        }
        Map(
            method,
            new ServerStreamingHandler<TRequest, TResponse>(method, _options, _services, invoke),
            typeof(TRequest),
            typeof(IServerStreamWriter<TResponse>),
            typeof(ServerCallContext));
    }

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse>? handler)
    {
        Func<HttpContext, IAsyncStreamReader<TRequest>, IServerStreamWriter<TResponse>, ServerCallContext, Task> invoke;
        if (handler is not null)
        {
            invoke = (_, requests, responses, context) => handler(requests, responses, context);
        }
        else
        {
            var open = ServiceMethods.Open<
                TService, Func<TService, IAsyncStreamReader<TRequest>, IServerStreamWriter<TResponse>, ServerCallContext, Task>>(
                method.Name, typeof(IAsyncStreamReader<TRequest>), typeof(IServerStreamWriter<TResponse>), typeof(ServerCallContext));
            invoke = (http, requests, responses, context) => open(ServiceActivator<TService>.Get(http), requests, responses, context);
        }
        Map(
            method,
            new DuplexHandler<TRequest, TResponse>(method, _options, _services, invoke),
            typeof(IAsyncStreamReader<TRequest>),
            typeof(IServerStreamWriter<TResponse>),
            typeof(ServerCallContext));
    }

    /// <summary>Maps what is left of the service, and of the host, to Unimplemented.</summary>
    public GrpcServiceEndpointConventionBuilder Finish()
    {
        UnknownEndpoints unknown = _routes.ServiceProvider.GetRequiredService<UnknownEndpoints>();
        foreach (string name in _serviceNames)
        {
            unknown.MapMethodsOf(_routes, name);
        }
        unknown.MapServices(_routes);
        return new GrpcServiceEndpointConventionBuilder(_endpoints);
    }

    private void Map(IMethod method, CallHandler handler, params Type[] parameters)
    {
        _serviceNames.Add(method.ServiceName);
        RoutePattern pattern = RoutePatternFactory.Parse(method.FullName);
        MethodInfo? implementation = ServiceMethods.Find(typeof(TService), method.Name, parameters);
        _endpoints.Add(_routes.Map(pattern, handler.HandleAsync).Also(endpoint =>
        {
            endpoint.DisplayName = $"gRPC - {method.FullName}";
            foreach (object attribute in typeof(TService).GetCustomAttributes(inherit: true))
            {
                endpoint.Metadata.Add(attribute);
            }
            foreach (object attribute in implementation?.GetCustomAttributes(inherit: true) ?? [])
            {
                endpoint.Metadata.Add(attribute);
            }
            endpoint.Metadata.Add(new GrpcMethodMetadata(typeof(TService), method));
            endpoint.Metadata.Add(new HttpMethodMetadata(["POST"], acceptCorsPreflight: true));
        }));
    }
}

/// <summary>What every call of a server needs.</summary>
internal sealed record CallServices(TimeProvider Time, ILogger Logger);

internal static class ConventionExtensions
{
    public static IEndpointConventionBuilder Also(this IEndpointConventionBuilder builder, Action<EndpointBuilder> convention)
    {
        builder.Add(convention);
        return builder;
    }
}
