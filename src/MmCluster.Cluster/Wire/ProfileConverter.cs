using System.Text.Json;
using MmCluster.Engine.Simulation;

namespace MmCluster.Cluster.Wire;

/// <summary>A simulation profile in a message: as JSON, so that neighbouring releases may differ in its keys.</summary>
[GenerateSerializer, Immutable, Alias("mm.Profile")]
internal struct ProfileSurrogate
{
    [Id(0)]
    public string Json;
}

/// <summary>Converts profiles.</summary>
[RegisterConverter]
internal sealed class ProfileConverter : IConverter<SimulationProfile, ProfileSurrogate>
{
    public SimulationProfile ConvertFromSurrogate(in ProfileSurrogate surrogate) => JsonSerializer.Deserialize<SimulationProfile>(surrogate.Json)!;

    public ProfileSurrogate ConvertToSurrogate(in SimulationProfile value) => new() { Json = JsonSerializer.Serialize(value) };
}
