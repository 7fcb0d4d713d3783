using MmCluster.Media.Images;
using MmCluster.Models.Cards;
using MmCluster.Models.Encoders;
using MmCluster.Tensors;

namespace MmCluster.Models.Catalog;

/// <summary>How pictures become an encoder's input: the card's steps, else the folder's preprocessor_config.json or processor_config.json, else CLIP's.</summary>
public sealed class ImagePreprocessing
{
    private static readonly string[] Files = ["preprocessor_config.json", "processor_config.json"];

    private readonly ImageProcessor _processor;
    private readonly EncoderSpec _spec;

    private ImagePreprocessing(ImageProcessor processor, EncoderSpec spec)
    {
        _processor = processor;
        _spec = spec;
    }

    /// <summary>The steps; part of an encoder's digest.</summary>
    public ImageProcessorConfig Config => _processor.Config;

    /// <summary>Reads the steps for an encoder.</summary>
    /// <exception cref="InvalidDataException">A value that cannot be, or steps that do not give the encoder's input size.</exception>
    /// <exception cref="NotSupportedException">An unknown processor.</exception>
    public static ImagePreprocessing Read(string folder, ComponentCard component, EncoderSpec spec)
    {
        ImageProcessorConfig config = ReadConfig(folder, component, spec);
        ImageProcessor processor = new(config);
        (int width, int height) = processor.OutputSize(spec.InputWidth * 2, spec.InputHeight * 3);
        return (width, height) == (spec.InputWidth, spec.InputHeight)
            ? new ImagePreprocessing(processor, spec)
            : throw new InvalidDataException(
                $"{folder}: preprocessing gives pictures of {width} x {height}, component '{component.Name}' takes {spec.InputWidth} x {spec.InputHeight}");
    }

    /// <summary>The encoder's input for a picture, [1, 3, height, width]; it belongs to the current scope.</summary>
    public Tensor Process(Picture picture)
    {
        Tensor input = Tensor.Empty([1, 3, _spec.InputHeight, _spec.InputWidth]);
        _processor.Process(picture, input.AsSpan<float>());
        return input;
    }

    private static ImageProcessorConfig ReadConfig(string folder, ComponentCard component, EncoderSpec spec)
    {
        if (component.Preprocess is { } steps)
        {
            return ImageProcessorConfig.Parse(steps, $"{component.Name}: preprocess");
        }
        string? file = Files.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
        return file is not null
            ? ImageProcessorConfig.Parse(File.ReadAllBytes(file), file)
            : new ImageProcessorConfig { Resize = new ResizeRule.ShortestEdge(spec.InputHeight), CenterCrop = (spec.InputWidth, spec.InputHeight) };
    }
}
