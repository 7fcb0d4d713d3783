using System.Globalization;
using MmCluster.Fuzz.Orleans;

// `--minutes M` attacks a silo's ports; `--silo SILO-PORT GATEWAY-PORT` is the silo, in a process of its own.
switch (args)
{
    case ["--minutes", string minutes]:
        return await Attacks.RunAsync(TimeSpan.FromMinutes(double.Parse(minutes, CultureInfo.InvariantCulture)));
    case ["--silo", string siloPort, string gatewayPort]:
        await FuzzSilo.ServeAsync(int.Parse(siloPort, CultureInfo.InvariantCulture), int.Parse(gatewayPort, CultureInfo.InvariantCulture));
        return 0;
    default:
        await Console.Error.WriteLineAsync("usage: --minutes MINUTES");
        return 2;
}
