using System.Text.Json;

namespace MmCluster.Media.Images;

/// <summary>Reads the old and new spellings of an image processor's file.</summary>
internal sealed class ImageProcessorConfigReader(string name)
{
    private const int MaxSide = 16_384;

    public ImageProcessorConfig Read(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw Invalid("the file", "an object");
        }
        if (Get(root, "image_processor") is { ValueKind: JsonValueKind.Object } nested)
        {
            root = nested;
        }
        ImageProcessorDefaults defaults = DefaultsOf(root);
        ImageProcessorConfig config = defaults.Config;
        bool resizes = Flag(root, "do_resize", config.Resize is not null);
        bool crops = Flag(root, "do_center_crop", config.CenterCrop is not null);
        bool rescales = Flag(root, "do_rescale", true);
        bool normalizes = Flag(root, "do_normalize", true);
        return new ImageProcessorConfig
        {
            PadToSquare = defaults.PadsToSquare && Flag(root, "do_pad", false),
            Resize = resizes ? ReadSize(root, defaults) : null,
            Resampling = ReadResampling(root, config.Resampling),
            CenterCrop = crops ? ReadCrop(root, config.CenterCrop ?? (224, 224)) : null,
            RescaleFactor = rescales ? Number(root, "rescale_factor") ?? 1 / 255.0 : null,
            Mean = normalizes ? Channels(root, "image_mean") ?? config.Mean : null,
            Std = ReadStd(root, config.Std),
        };
    }

    private ImageProcessorDefaults DefaultsOf(JsonElement root)
    {
        JsonElement? type = Get(root, "image_processor_type") ?? Get(root, "feature_extractor_type");
        if (type is { ValueKind: not JsonValueKind.String })
        {
            throw Invalid("image_processor_type", "a name");
        }
        try
        {
            return ImageProcessorDefaults.Of(type?.GetString());
        }
        catch (NotSupportedException error)
        {
            throw new NotSupportedException($"{name}: {error.Message}", error);
        }
    }

    private ResizeRule ReadSize(JsonElement root, ImageProcessorDefaults defaults)
    {
        JsonElement? found = Get(root, "size") ?? Get(root, "image_size");
        if (found is not { } size)
        {
            return defaults.Config.Resize!;
        }
        if (size.ValueKind == JsonValueKind.Number)
        {
            int side = Side(size, "size");
            return defaults.SquareSize ? new ResizeRule.Exact(side, side) : new ResizeRule.ShortestEdge(side);
        }
        if (size.ValueKind != JsonValueKind.Object)
        {
            throw Invalid("size", "a number or an object");
        }
        if (Get(size, "height") is { } height && Get(size, "width") is { } width)
        {
            return new ResizeRule.Exact(Side(width, "size.width"), Side(height, "size.height"));
        }
        if (Get(size, "shortest_edge") is { } shortest)
        {
            int? longest = Get(size, "longest_edge") is { } bound ? Side(bound, "size.longest_edge") : null;
            return new ResizeRule.ShortestEdge(Side(shortest, "size.shortest_edge"), longest);
        }
        throw new NotSupportedException(
            $"{name}: size with {string.Join(", ", size.EnumerateObject().Select(member => member.Name))} is not known; known: height and width, or shortest_edge");
    }

    private (int Width, int Height) ReadCrop(JsonElement root, (int, int) usual)
    {
        if (Get(root, "crop_size") is not { } crop)
        {
            return usual;
        }
        if (crop.ValueKind == JsonValueKind.Number)
        {
            int side = Side(crop, "crop_size");
            return (side, side);
        }
        return crop.ValueKind == JsonValueKind.Object && Get(crop, "height") is { } height && Get(crop, "width") is { } width
            ? (Side(width, "crop_size.width"), Side(height, "crop_size.height"))
            : throw Invalid("crop_size", "a number, or height and width");
    }

    private Resampling ReadResampling(JsonElement root, Resampling usual)
    {
        if (Get(root, "resample") is not { } resample)
        {
            return usual;
        }
        return resample.ValueKind == JsonValueKind.Number && resample.TryGetInt32(out int number) && Enum.IsDefined((Resampling)number)
            ? (Resampling)number
            : throw Invalid("resample", "a number from 0 to 5");
    }

    private IReadOnlyList<double> ReadStd(JsonElement root, IReadOnlyList<double> usual)
    {
        IReadOnlyList<double> std = Channels(root, "image_std") ?? usual;
        return std.Contains(0) ? throw Invalid("image_std", "three numbers other than 0") : std;
    }

    private double[]? Channels(JsonElement root, string key)
    {
        if (Get(root, key) is not { } list)
        {
            return null;
        }
        if (list.ValueKind == JsonValueKind.Number)
        {
            double all = list.GetDouble();
            return [all, all, all];
        }
        return list.ValueKind == JsonValueKind.Array && list.GetArrayLength() == 3
            && list.EnumerateArray().All(channel => channel.ValueKind == JsonValueKind.Number)
            ? [.. list.EnumerateArray().Select(channel => channel.GetDouble())]
            : throw Invalid(key, "three numbers");
    }

    private double? Number(JsonElement root, string key) => Get(root, key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } number => number.GetDouble(),
        _ => throw Invalid(key, "a number"),
    };

    private bool Flag(JsonElement root, string key, bool usual) => Get(root, key)?.ValueKind switch
    {
        null => usual,
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Invalid(key, "true or false"),
    };

    private int Side(JsonElement value, string key) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int side) && side is > 0 and <= MaxSide
            ? side
            : throw Invalid(key, $"a whole number from 1 to {MaxSide}");

    // A null means what a missing key means.
    private static JsonElement? Get(JsonElement root, string key) =>
        root.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private InvalidDataException Invalid(string key, string expected) => new($"{name}: {key} must be {expected}");
}
