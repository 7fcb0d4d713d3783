using MmCluster.Models;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace MmCluster.Silo;

/// <summary>
/// Traces of this process, sent by OTLP. Without an endpoint nothing is recorded: a span costs a null check then. Disposing sends what is left.
/// </summary>
public sealed class Telemetry : IDisposable
{
    private const int HttpPort = 4318;

    private readonly TracerProvider? _traces;

    private Telemetry(TracerProvider? traces) => _traces = traces;

    /// <summary>Starts sending to <paramref name="endpoint"/>: gRPC, or HTTP where its port is 4318 or OTEL_EXPORTER_OTLP_PROTOCOL says so. Null sends nothing.</summary>
    /// <param name="endpoint">Such as <c>http://127.0.0.1:4317</c>.</param>
    /// <param name="service">What this process is: gateway or silo.</param>
    /// <param name="instance">Which one.</param>
    /// <exception cref="MmException">InvalidArgument: no address.</exception>
    public static Telemetry Start(string? endpoint, string service, string instance)
    {
        if (string.IsNullOrEmpty(endpoint))
        {
            return new Telemetry(null);
        }
        Uri address = Uri.TryCreate(endpoint, UriKind.Absolute, out Uri? parsed) && parsed.Scheme is "http" or "https"
            ? parsed
            : throw new MmException(MmErrorCode.InvalidArgument, $"--otlp-endpoint wants an address such as http://127.0.0.1:4317, not '{endpoint}'") { Param = "otlp-endpoint" };
        return new Telemetry(Sdk.CreateTracerProviderBuilder()
            .SetResourceBuilder(ResourceBuilder.CreateDefault().AddService(service, serviceNamespace: "mmcluster", serviceInstanceId: instance))
            .AddSource("MmCluster.*", "Microsoft.AspNetCore")
            .AddOtlpExporter(exporter => Configure(exporter, address))
            .Build());
    }

    /// <summary>Sends what is left and stops.</summary>
    public void Dispose() => _traces?.Dispose();

    private static void Configure(OtlpExporterOptions exporter, Uri address)
    {
        bool http = address.Port == HttpPort || exporter.Protocol == OtlpExportProtocol.HttpProtobuf;
        exporter.Protocol = http ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc;
        // The library adds the signal's path only to addresses from the environment.
        exporter.Endpoint = http && address.AbsolutePath == "/" ? new Uri(address, "v1/traces") : address;
    }
}
