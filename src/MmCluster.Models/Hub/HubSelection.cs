namespace MmCluster.Models.Hub;

/// <summary>Which of a model's files a pull fetches.</summary>
public static class HubSelection
{
    private static readonly string[] ForeignEndings =
        [".h5", ".msgpack", ".onnx", ".onnx_data", ".ot", ".tflite", ".mlmodel", ".gguf", ".pb", ".engine"];

    private static readonly string[] ForeignFolders = ["onnx", "coreml", "openvino", "tensorrt"];

    private static readonly string[] TorchEndings = [".bin", ".pt", ".pth", ".bin.index.json"];

    /// <summary>
    /// All but git's own files, weights of other frameworks, and PyTorch files in a folder that has the weights as safetensors too.
    /// </summary>
    /// <param name="files">All files of a model.</param>
    public static IReadOnlyList<HubFile> Usual(IReadOnlyList<HubFile> files)
    {
        var safe = files.Where(file => file.Path.EndsWith(".safetensors", StringComparison.Ordinal)).Select(FolderOf).ToHashSet();
        return [.. files.Where(file => !IsForeign(file.Path) && !(safe.Contains(FolderOf(file)) && EndsWithAny(file.Path, TorchEndings)))];
    }

    private static bool IsForeign(string path) => path.StartsWith(".git", StringComparison.Ordinal) || EndsWithAny(path, ForeignEndings)
        || ForeignFolders.Any(folder => path.StartsWith(folder + "/", StringComparison.Ordinal));

    private static bool EndsWithAny(string path, string[] endings) =>
        endings.Any(ending => path.EndsWith(ending, StringComparison.Ordinal));

    private static string FolderOf(HubFile file) => file.Path[..(file.Path.LastIndexOf('/') + 1)];
}
