using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

[assembly: DisableRuntimeMarshalling]

namespace MmCluster.Tensors.Cuda.Native;

/// <summary>
/// Finds the CUDA libraries: the folders of <c>CUDA_HOME</c> and <c>CUDA_PATH</c>, the loader's own path, toolkits under /usr/local, and what a
/// pip install puts beside the pythons on <c>PATH</c> (site-packages/nvidia/*/lib).
/// </summary>
internal static class CudaLibraries
{
    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, nint> Loaded = [];
    private static readonly List<string> Tried = [];

    // Newest first; a name without version is what a development package brings.
    private static readonly Dictionary<string, string[]> FileNames = new()
    {
        [CudaDriver.Library] = ["libcuda.so.1", "nvcuda.dll"],
        [Nvrtc.Library] = ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"],
        [Nvml.Library] = ["libnvidia-ml.so.1", "nvml.dll"],
        [CublasLt.Library] = ["libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"],
        [Nccl.Library] = ["libnccl.so.2", "libnccl.so"],
    };

    /// <summary>Makes the imports of this assembly find the libraries. Called once, before the first import is used.</summary>
    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255", Justification = "imports of this assembly only, and they may be used from anywhere in it")]
    internal static void Register() => NativeLibrary.SetDllImportResolver(typeof(CudaLibraries).Assembly, Resolve);

    /// <summary>Whether a library can be loaded.</summary>
    internal static bool Has(string library) => Load(library) != 0;

    /// <summary>Says that a library is missing and where it was looked for.</summary>
    internal static string Missing(string library)
    {
        lock (Gate)
        {
            return $"cuda: {FileNames[library][0]} was not found; looked in {string.Join(", ", Folders().Prepend("the loader's path"))}; "
                + Remedy(library);
        }
    }

    private static string Remedy(string library) => library switch
    {
        CudaDriver.Library => "install the NVIDIA driver",
        Nccl.Library => "install NCCL (libnccl2, or pip's nvidia-nccl-cu13 or nvidia-nccl-cu12)",
        _ => "set CUDA_HOME, or install the CUDA toolkit or its pip packages",
    };

    private static nint Resolve(string library, Assembly assembly, DllImportSearchPath? path)
    {
        if (!FileNames.ContainsKey(library))
        {
            return 0;
        }

        nint handle = Load(library);
        return handle != 0 ? handle : throw new DllNotFoundException(Missing(library));
    }

    private static nint Load(string library)
    {
        lock (Gate)
        {
            if (!Loaded.TryGetValue(library, out nint handle))
            {
                handle = Find(FileNames[library]);
                Loaded[library] = handle;
            }

            return handle;
        }
    }

    private static nint Find(string[] names)
    {
        foreach (string name in names)
        {
            foreach (string folder in Folders())
            {
                string path = Path.Combine(folder, name);
                if (File.Exists(path) && NativeLibrary.TryLoad(path, out nint found))
                {
                    return found;
                }
            }

            if (NativeLibrary.TryLoad(name, out nint handle))
            {
                return handle;
            }
        }

        return 0;
    }

    private static List<string> Folders()
    {
        if (Tried.Count > 0)
        {
            return Tried;
        }

        foreach (string variable in new[] { "CUDA_HOME", "CUDA_PATH" })
        {
            if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } home)
            {
                Add(Path.Combine(home, "targets", "x86_64-linux", "lib"), Path.Combine(home, "lib64"), home);
            }
        }

        foreach (string toolkit in Matches("/usr/local", "cuda*").OrderDescending(StringComparer.Ordinal))
        {
            Add(Path.Combine(toolkit, "targets", "x86_64-linux", "lib"), Path.Combine(toolkit, "lib64"));
        }

        foreach (string bin in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
        {
            if (File.Exists(Path.Combine(bin, "python3")))
            {
                AddPackages(Path.GetDirectoryName(bin) ?? "/");
            }
        }

        return Tried;
    }

    // PREFIX/lib/python3.X/{site,dist}-packages/nvidia/LIBRARY/lib
    private static void AddPackages(string prefix)
    {
        foreach (string root in new[] { prefix, Path.Combine(prefix, "local") })
        {
            foreach (string python in Matches(Path.Combine(root, "lib"), "python3*"))
            {
                foreach (string packages in new[] { "site-packages", "dist-packages" })
                {
                    foreach (string library in Matches(Path.Combine(python, packages, "nvidia"), "*"))
                    {
                        Add(Path.Combine(library, "lib"));
                    }
                }
            }
        }
    }

    private static void Add(params ReadOnlySpan<string> folders)
    {
        foreach (string folder in folders)
        {
            if (Directory.Exists(folder) && !Tried.Contains(folder))
            {
                Tried.Add(folder);
            }
        }
    }

    private static string[] Matches(string folder, string pattern) => Directory.Exists(folder) ? Directory.GetDirectories(folder, pattern) : [];
}
