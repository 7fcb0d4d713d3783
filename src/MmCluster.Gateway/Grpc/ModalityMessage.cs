using MmCluster.Gateway.Models;
using MmCluster.Gateway.OpenAi;
using MmCluster.Models.Cards;
using Wire = MmCluster.Protos.V1;

namespace MmCluster.Gateway.Grpc;

/// <summary>Modalities as messages name them.</summary>
internal static class ModalityMessage
{
    public static Wire.Modality Of(Modality modality) => modality switch
    {
        Modality.Image => Wire.Modality.Image,
        Modality.Video => Wire.Modality.Video,
        Modality.Audio => Wire.Modality.Audio,
        Modality.Points => Wire.Modality.PointCloud,
        _ => throw new ArgumentOutOfRangeException(nameof(modality), modality, "not a modality"),
    };

    /// <summary>The media that a request lets the answer have; none where it names no modality.</summary>
    /// <exception cref="MmCluster.Models.MmException">InvalidArgument: the model does not answer with one of them.</exception>
    public static IReadOnlyCollection<Modality> ReadOutputs(IEnumerable<Wire.Modality> wanted, IServedModel model)
    {
        var media = new HashSet<Modality>();
        foreach (Wire.Modality modality in wanted.Where(modality => modality != Wire.Modality.Text))
        {
            Modality? known = model.Info.Outputs.Cast<Modality?>().FirstOrDefault(output => Of(output!.Value) == modality);
            media.Add(known ?? throw FieldReader.Invalid(
                "output_modalities",
                $"'output_modalities': {model.Id} cannot answer with {modality}, only with {string.Join(", ", model.Info.Outputs.Select(Of).Prepend(Wire.Modality.Text))}"));
        }
        return media;
    }
}
