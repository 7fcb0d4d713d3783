using System.Globalization;
using System.Runtime.InteropServices;
using MmCluster.Cli.Hosting;

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;

using var stop = new CancellationTokenSource();
int? signalExit = null;
using PosixSignalRegistration interrupt = StopOn(PosixSignal.SIGINT, 130);
using PosixSignalRegistration terminate = StopOn(PosixSignal.SIGTERM, 143);

int exit = await CommandLine.RunAsync(args, CommandContext.ForProcess(), stop.Token);
return signalExit ?? exit;

// The first signal asks the command to stop; a second one finds the default action, which ends the process at once.
PosixSignalRegistration StopOn(PosixSignal signal, int code) => PosixSignalRegistration.Create(signal, context =>
{
    context.Cancel = signalExit is null;
    signalExit = code;
    stop.Cancel();
});
