using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace MmCluster.Media.External;

/// <summary>
/// Runs the ffmpeg program on untrusted bytes. The bytes go in by standard input and nothing else can be opened
/// (<c>-protocol_whitelist pipe</c>); the caller names the demuxer; a shell sets limits on address space, processor time, files
/// and core dumps and then becomes ffmpeg, so that the process killed is ffmpeg itself. The environment is empty.
/// </summary>
internal sealed class FfmpegProcess(MediaLimits limits, TimeProvider time)
{
    public const string Package = "ffmpeg";

    private const int ErrorTextLimit = 4096;

    /// <summary>Told each started process's id; tests watch it.</summary>
    internal Action<int>? Started { get; init; }

    /// <summary>The folders looked through for the program, colon-separated.</summary>
    internal string SearchPath { get; init; } = Environment.GetEnvironmentVariable("PATH") ?? "";

    /// <summary>Runs ffmpeg once.</summary>
    /// <param name="inputOptions">Options for the input, its <c>-f</c> among them.</param>
    /// <param name="outputOptions">Options for the output.</param>
    /// <param name="input">What it reads.</param>
    /// <param name="readOutput">Consumes its output; when this returns or throws, ffmpeg may not go on for long.</param>
    /// <param name="stop">Kills it.</param>
    /// <typeparam name="T">What the consumer makes of the output.</typeparam>
    /// <returns>The consumer's result and how the program ended.</returns>
    /// <exception cref="MissingDependencyException">There is no ffmpeg on the PATH.</exception>
    /// <exception cref="InvalidDataException">It took longer than allowed.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; the process is gone by then.</exception>
    public async Task<(T Output, ToolResult Result)> RunAsync<T>(
        IEnumerable<string> inputOptions,
        IEnumerable<string> outputOptions,
        ReadOnlyMemory<byte> input,
        Func<Stream, CancellationToken, Task<T>> readOutput,
        CancellationToken stop)
    {
        stop.ThrowIfCancellationRequested();
        using var timeout = new CancellationTokenSource(limits.MaxToolTime, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, timeout.Token);
        using var process = new Process { StartInfo = StartInfo(inputOptions, outputOptions) };
        process.Start();
        // A read of a pipe need not notice its token; the end of the program is what surely ends it.
        await using CancellationTokenRegistration kill = either.Token.UnsafeRegister(static started => Kill((Process)started!), process);
        Task write = WriteAsync(process, input, either.Token);
        Task<string> errors = ReadErrorsAsync(process.StandardError.BaseStream, either.Token);
        try
        {
            Started?.Invoke(process.Id);
            T output = await readOutput(process.StandardOutput.BaseStream, either.Token);
            process.StandardOutput.Close(); // what is still to come is not wanted: the program ends on a broken pipe
            await write;
            string text = await errors;
            await process.WaitForExitAsync(either.Token);
            either.Token.ThrowIfCancellationRequested(); // killed: what it wrote by then is no answer
            return (output, new ToolResult(process.ExitCode, text));
        }
        catch (Exception error) when (either.IsCancellationRequested) // a killed program's output breaks off in many ways
        {
            stop.ThrowIfCancellationRequested();
            throw new InvalidDataException($"decoding took longer than {limits.MaxToolTime.TotalSeconds:0.#} s", error);
        }
        finally
        {
            await EndAsync(process);
            await Task.WhenAll(write, errors).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // both end with the process
        }
    }

    private static async Task EndAsync(Process process)
    {
        if (!process.HasExited)
        {
            Kill(process);
            await process.WaitForExitAsync(CancellationToken.None); // a killed process ends at once: nothing to cancel
        }
    }

    private static void Kill(Process process) => process.Kill(entireProcessTree: true); // does nothing to one that has ended

    private ProcessStartInfo StartInfo(IEnumerable<string> inputOptions, IEnumerable<string> outputOptions)
    {
        // Twice the wall clock: one decoding thread, and start-up.
        string script = string.Create(CultureInfo.InvariantCulture,
            $"ulimit -v {limits.MaxToolMemory / 1024} && ulimit -t {Math.Ceiling(limits.MaxToolTime.TotalSeconds * 2)} && ulimit -f 0 && ulimit -c 0 && exec \"$0\" \"$@\"");
        var info = new ProcessStartInfo("/bin/sh")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = "/",
        };
        info.Environment.Clear(); // FFREPORT would write files, LD_* and proxies have no business here
        string[] arguments =
        [
            "-c", script, FindProgram(),
            "-nostdin", "-hide_banner", "-loglevel", "error", "-threads", "1", "-protocol_whitelist", "pipe",
            .. inputOptions, "-i", "pipe:0", .. outputOptions, "pipe:1",
        ];
        foreach (string argument in arguments)
        {
            info.ArgumentList.Add(argument);
        }
        return info;
    }

    private string FindProgram()
    {
        foreach (string folder in SearchPath.Split(':', StringSplitOptions.RemoveEmptyEntries))
        {
            string path = Path.Combine(folder, "ffmpeg");
            if (Path.IsPathRooted(path) && File.Exists(path))
            {
                return path;
            }
        }
        throw new MissingDependencyException(
            $"this format needs the program ffmpeg: install the package {Package} (apt-get install {Package})", Package);
    }

    private static async Task WriteAsync(Process process, ReadOnlyMemory<byte> input, CancellationToken stop)
    {
        try
        {
            await process.StandardInput.BaseStream.WriteAsync(input, stop);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has read enough, or has ended with an error that its exit status tells.
        }
    }

    private static async Task<string> ReadErrorsAsync(Stream errors, CancellationToken stop)
    {
        byte[] buffer = new byte[ErrorTextLimit];
        int length = await errors.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, stop);
        byte[] rest = new byte[ErrorTextLimit];
        while (await errors.ReadAsync(rest, stop) > 0)
        {
        }
        return OneLine(Encoding.UTF8.GetString(buffer, 0, length));
    }

    private static string OneLine(string text)
    {
        string first = text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).FirstOrDefault() ?? "";
        // "[webp @ 0x55d0...] what is wrong": the address is of no use to anyone.
        first = first.StartsWith('[') && first.IndexOf("] ", StringComparison.Ordinal) is > 0 and var end ? first[(end + 2)..] : first;
        string clean = new([.. first.Where(letter => !char.IsControl(letter))]);
        return clean.Length > 200 ? clean[..200] : clean;
    }
}
