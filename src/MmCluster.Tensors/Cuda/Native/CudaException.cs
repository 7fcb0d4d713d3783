using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MmCluster.Tensors.Cuda.Native;

/// <summary>A call into a CUDA library that failed; the message names the call and the error.</summary>
/// <param name="message">What failed, how.</param>
/// <param name="result">The driver's code; <see cref="CudaResult.Unknown"/> for other libraries.</param>
internal sealed class CudaException(string message, CudaResult result = CudaResult.Unknown) : Exception(message)
{
    /// <summary>The driver's code.</summary>
    public CudaResult Result { get; } = result;

    /// <summary>Whether the context is lost: every later call fails too, and the process has to be started anew.</summary>
    public bool IsSticky { get; } = result is CudaResult.EccUncorrectable or CudaResult.IllegalAddress or CudaResult.LaunchTimeout
        or CudaResult.ContextIsDestroyed or CudaResult.Assert or CudaResult.HardwareStackError or CudaResult.IllegalInstruction
        or CudaResult.MisalignedAddress or CudaResult.InvalidAddressSpace or CudaResult.InvalidProgramCounter or CudaResult.LaunchFailed;
}

/// <summary>Turns results into exceptions.</summary>
internal static unsafe class CudaCall
{
    /// <summary>Throws unless a driver call succeeded.</summary>
    /// <exception cref="CudaException">It failed.</exception>
    internal static void Check(CudaResult result, [CallerArgumentExpression(nameof(result))] string call = "")
    {
        if (result != CudaResult.Success)
        {
            Throw(result, call);
        }
    }

    /// <summary>Throws unless a call of the run-time compiler succeeded.</summary>
    /// <exception cref="CudaException">It failed.</exception>
    internal static void Check(NvrtcResult result, [CallerArgumentExpression(nameof(result))] string call = "")
    {
        if (result != NvrtcResult.Success)
        {
            throw new CudaException($"cuda: {Name(call)} failed: {Marshal.PtrToStringUTF8((nint)Nvrtc.nvrtcGetErrorString(result))}");
        }
    }

    /// <summary>Throws unless a call of cuBLASLt succeeded.</summary>
    /// <exception cref="CudaException">It failed.</exception>
    internal static void Check(CublasResult result, [CallerArgumentExpression(nameof(result))] string call = "")
    {
        if (result != CublasResult.Success)
        {
            throw new CudaException($"cuda: {Name(call)} failed: {result} ({(int)result})");
        }
    }

    private static void Throw(CudaResult result, string call)
    {
        byte* name = null;
        byte* text = null;
        _ = CudaDriver.cuGetErrorName(result, &name);
        _ = CudaDriver.cuGetErrorString(result, &text);
        CudaException error = new(
            $"cuda: {Name(call)} failed: {Marshal.PtrToStringUTF8((nint)name) ?? ((int)result).ToString(System.Globalization.CultureInfo.InvariantCulture)} ({Marshal.PtrToStringUTF8((nint)text)})",
            result);
        if (error.IsSticky)
        {
            CudaContext.LoseCurrent(error);
        }
        throw error;
    }

    // "CudaDriver.cuMemAlloc_v2(&p, n)" is cuMemAlloc_v2.
    private static string Name(string call)
    {
        int end = call.IndexOf('(', StringComparison.Ordinal);
        int start = call.IndexOf('.', StringComparison.Ordinal) + 1;
        return end > start ? call[start..end] : call;
    }
}
