using System.Collections.Concurrent;
using System.Text;
using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Tensors.Cuda;

/// <summary>
/// The kernels of a GPU by the file and name they have in the sources. Modules are compiled and loaded at first use, or ahead of it and in parallel by
/// <see cref="Preload"/>. Look kernels up once and keep them; a graph capture must find its kernels loaded. Thread-safe.
/// </summary>
internal sealed class CudaKernels
{
    private readonly CudaContext _context;
    private readonly ConcurrentDictionary<string, Lazy<CudaModule>> _modules = new();

    internal CudaKernels(CudaContext context) => _context = context;

    /// <summary>A kernel of a file compiled without further options.</summary>
    /// <exception cref="ArgumentException">No such file or kernel.</exception>
    internal CudaKernel this[string module, string kernel] => Module(module)[kernel];

    /// <summary>A file's module, compiled with further options.</summary>
    /// <exception cref="ArgumentException">No such file.</exception>
    internal CudaModule Module(string name, params string[] defines)
    {
        string key = defines.Length == 0 ? name : $"{name} {string.Join(' ', defines)}";
        return _modules.GetOrAdd(
            key,
            static (_, about) => new Lazy<CudaModule>(() => new CudaModule(
                about._context, about.name, KernelCompiler.Compile(about.name, about._context.Properties.Architecture, about.defines))),
            (_context, name, defines)).Value;
    }

    /// <summary>Compiles and loads files, side by side.</summary>
    internal void Preload(params string[] modules) => Parallel.ForEach(modules, name => Module(name));
}

/// <summary>Loaded machine code; lives as long as its context.</summary>
internal sealed unsafe class CudaModule
{
    private readonly CudaContext _context;
    private readonly string _name;
    private readonly nint _handle;
    private readonly ConcurrentDictionary<string, CudaKernel> _kernels = new();

    internal CudaModule(CudaContext context, string name, byte[] code)
    {
        _context = context;
        _name = name;
        context.Bind();
        nint module;
        fixed (byte* image = code)
        {
            CudaCall.Check(CudaDriver.cuModuleLoadData(&module, image));
        }

        _handle = module;
    }

    /// <summary>The kernel (<c>extern "C" __global__</c>) of that name.</summary>
    /// <exception cref="ArgumentException">The file has none.</exception>
    internal CudaKernel this[string name] => _kernels.GetOrAdd(name, static (kernel, module) => module.Find(kernel), this);

    private CudaKernel Find(string name)
    {
        _context.Bind();
        nint function;
        CudaResult result;
        fixed (byte* text = Encoding.UTF8.GetBytes(name + "\0"))
        {
            result = CudaDriver.cuModuleGetFunction(&function, _handle, text);
        }

        if (result == CudaResult.NotFound)
        {
            throw new ArgumentException($"cuda: {_name}.cu has no kernel '{name}'");
        }

        CudaCall.Check(result, "cuModuleGetFunction(");
        return new CudaKernel(_context, function, name);
    }
}
