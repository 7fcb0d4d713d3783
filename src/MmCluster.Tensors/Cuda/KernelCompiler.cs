using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Tensors.Cuda;

/// <summary>
/// Compiles the embedded sources: a <c>.cu</c> file is a module, <c>.cuh</c> files are headers that it may include. Results are kept by
/// <see cref="KernelCache"/>. Thread-safe; several compile at once.
/// </summary>
internal static unsafe class KernelCompiler
{
    private static readonly Assembly Sources = typeof(KernelCompiler).Assembly;
    private static readonly string[] Options = ["--std=c++17", "-default-device", "--extra-device-vectorization"];

    /// <summary>Names of the modules, without extension.</summary>
    internal static IEnumerable<string> Modules => Names(".cu").Select(name => name[..^3]);

    /// <summary>The machine code of a module, from the cache where it is known.</summary>
    /// <param name="module">Name of its file, without extension.</param>
    /// <param name="architecture">sm_80, sm_90a, …</param>
    /// <param name="defines">Further options, such as -DWARPS=8.</param>
    /// <exception cref="CudaException">It does not compile; the message is the compiler's.</exception>
    internal static byte[] Compile(string module, string architecture, params ReadOnlySpan<string> defines)
    {
        string source = Read(module + ".cu");
        string[] options = [.. Options, $"--gpu-architecture={architecture}", .. defines];
        string[] headers = [.. Names(".cuh")];
        int major, minor;
        CudaCall.Check(Nvrtc.nvrtcVersion(&major, &minor));
        string key = KernelCache.Key([source, .. headers.Select(Read), .. options, $"nvrtc {major}.{minor}"]);
        if (KernelCache.Find(key) is { } known)
        {
            return known;
        }

        byte[] code = Compile(source, module + ".cu", headers, options);
        KernelCache.Keep(key, code);
        return code;
    }

    private static byte[] Compile(string source, string name, string[] headers, string[] options)
    {
        using var texts = new NativeTexts();
        byte** headerTexts = texts.Array([.. headers.Select(Read)]);
        byte** headerNames = texts.Array(headers);
        nint program;
        CudaCall.Check(Nvrtc.nvrtcCreateProgram(&program, texts.Add(source), texts.Add(name), headers.Length, headerTexts, headerNames));
        try
        {
            NvrtcResult result = Nvrtc.nvrtcCompileProgram(program, options.Length, texts.Array(options));
            if (result == NvrtcResult.Compilation)
            {
                throw new CudaException($"cuda: {name} does not compile with {string.Join(' ', options)}:\n{Log(program)}");
            }

            CudaCall.Check(result, "nvrtcCompileProgram(");
            nuint bytes;
            CudaCall.Check(Nvrtc.nvrtcGetCUBINSize(program, &bytes));
            byte[] code = new byte[bytes];
            fixed (byte* target = code)
            {
                CudaCall.Check(Nvrtc.nvrtcGetCUBIN(program, target));
            }

            return code;
        }
        finally
        {
            _ = Nvrtc.nvrtcDestroyProgram(&program);
        }
    }

    private static string Log(nint program)
    {
        nuint bytes;
        CudaCall.Check(Nvrtc.nvrtcGetProgramLogSize(program, &bytes));
        byte[] log = new byte[bytes];
        fixed (byte* target = log)
        {
            CudaCall.Check(Nvrtc.nvrtcGetProgramLog(program, target));
        }

        return Encoding.UTF8.GetString(log).TrimEnd('\0');
    }

    private static IEnumerable<string> Names(string extension) =>
        Sources.GetManifestResourceNames().Where(name => name.EndsWith(extension, StringComparison.Ordinal)).Order(StringComparer.Ordinal);

    private static string Read(string name)
    {
        using Stream stream = Sources.GetManifestResourceStream(name) ?? throw new ArgumentException($"cuda: no source {name} among {string.Join(", ", Names(".cu"))}");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>Texts that end with a zero, for the length of a call.</summary>
    private sealed class NativeTexts : IDisposable
    {
        private readonly List<nint> _owned = [];

        internal byte* Add(string text) => (byte*)Own(Marshal.StringToCoTaskMemUTF8(text));

        internal byte** Array(string[] texts)
        {
            byte** array = (byte**)Own(Marshal.AllocCoTaskMem(Math.Max(texts.Length, 1) * sizeof(byte*)));
            for (int i = 0; i < texts.Length; i++)
            {
                array[i] = Add(texts[i]);
            }

            return array;
        }

        public void Dispose() => _owned.ForEach(Marshal.FreeCoTaskMem);

        private nint Own(nint memory)
        {
            _owned.Add(memory);
            return memory;
        }
    }
}
