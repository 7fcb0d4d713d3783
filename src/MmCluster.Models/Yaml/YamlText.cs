using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace MmCluster.Models.Yaml;

/// <summary>From a YAML file's bytes to its top mapping, within limits.</summary>
public static class YamlText
{
    private const long MaxBytes = 1 << 20;

    /// <summary>A file's text.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is too large to be a <paramref name="what"/>.</exception>
    public static string Read(string path, string what)
    {
        FileInfo file = new(path);
        return !file.Exists ? throw new FileNotFoundException($"{path}: no such {what}", path)
            : file.Length > MaxBytes ? throw new InvalidDataException($"{path}: larger than {MaxBytes} bytes, no {what} is")
            : File.ReadAllText(path);
    }

    /// <summary>The top mapping of a text with one document; <paramref name="file"/> names it in errors.</summary>
    /// <exception cref="InvalidDataException">Not YAML, or not one mapping; the message has the line.</exception>
    public static YamlMap Parse(string yaml, string file, string what, params IEnumerable<YamlOverride> overrides)
    {
        YamlNode root = Load(yaml, file);
        var places = new YamlPlaces(file);
        foreach (YamlOverride one in overrides)
        {
            one.Apply(root, places);
        }
        return new YamlMap(places, root, what);
    }

    private static YamlNode Load(string yaml, string file)
    {
        using StringReader reader = new(yaml);
        Scanner scanner = new(reader);
        try
        {
            YamlStream stream = [];
            stream.Load(new Parser(scanner));
            return stream.Documents.Count == 1
                ? stream.Documents[0].RootNode
                : throw new InvalidDataException($"{file}(1): one YAML document was expected, there are {stream.Documents.Count}");
        }
        catch (YamlException error)
        {
            throw new InvalidDataException($"{file}({error.Start.Line}): not YAML: {error.Message}", error);
        }
        catch (InvalidOperationException error) // what the scanner throws at some unfinished lists
        {
            throw new InvalidDataException($"{file}({scanner.CurrentPosition.Line}): not YAML: a list or mapping does not end", error);
        }
    }
}
