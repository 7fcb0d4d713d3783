using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Hosting;
using Orleans.Runtime.Silo;

namespace Orleans.Runtime.MembershipService.SiloMetadata;

/// <summary>Sets what a silo says about itself.</summary>
public static class SiloMetadataHostingExtensions
{
    private const string Section = "Orleans:Metadata";

    /// <summary>Takes the metadata from the section Orleans:Metadata (ORLEANS__METADATA__key=value in the environment).</summary>
    public static ISiloBuilder UseSiloMetadata(this ISiloBuilder builder) => builder.UseSiloMetadata(builder.Configuration);

    /// <summary>Takes the metadata from the section Orleans:Metadata of <paramref name="configuration"/>.</summary>
    public static ISiloBuilder UseSiloMetadata(this ISiloBuilder builder, IConfiguration configuration) =>
        builder.UseSiloMetadata(configuration.GetSection(Section));

    /// <summary>Takes the metadata from <paramref name="configurationSection"/>.</summary>
    public static ISiloBuilder UseSiloMetadata(this ISiloBuilder builder, IConfigurationSection configurationSection) =>
        builder.UseSiloMetadata(configurationSection.GetChildren().Where(item => item.Value is not null).ToDictionary(item => item.Key, item => item.Value!));

    /// <summary>Says <paramref name="metadata"/>.</summary>
    public static ISiloBuilder UseSiloMetadata(this ISiloBuilder builder, Dictionary<string, string> metadata)
    {
        builder.Services.Configure<OwnMetadata>(own =>
        {
            foreach ((string key, string value) in metadata)
            {
                own.Values[key] = value;
            }
        });
        return builder;
    }
}
