using Aspire.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

// What the tests of the app host start: a small web server, or an app host of its own.
switch (args)
{
    case ["host", string fifo]:
        // One child that holds a pipe open for as long as it, or what it started, lives.
        IDistributedApplicationBuilder application = DistributedApplication.CreateBuilder(new DistributedApplicationOptions { DisableDashboard = true });
        application.AddExecutable("child", "sh", "/", "-c", "exec 3>\"$0\"; echo up >&3; sleep 1000 & wait", fifo);
        await application.Build().RunAsync();
        return 0;
    case ["serve", ..] or []:
        WebApplication app = WebApplication.CreateSlimBuilder(args).Build();
        app.MapGet("/", () => $"{Environment.GetEnvironmentVariable("GREETING")} {Environment.ProcessId}");
        app.MapGet("/health", () => Results.Ok());
        await app.RunAsync();
        return 0;
    default:
        return 2;
}
