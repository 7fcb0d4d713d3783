using MmCluster.Models.Hub;

namespace MmCluster.Models.Tests.Hub;

public sealed class HubAccessTests : HubTests
{
    [Fact]
    public async Task The_token_goes_to_the_hub_and_not_to_where_it_redirects()
    {
        Server.Add("config.json", "{}"u8.ToArray());
        Server.Add("model.safetensors", HubServer.Noise(5000, 1), large: true);
        await PullAsync(token: "hf_secret");
        Assert.NotEmpty(Server.Requests);
        Assert.All(Server.Requests, request => Assert.Equal(request.StartsWith("hub", StringComparison.Ordinal), request.EndsWith(" token", StringComparison.Ordinal)));
        Assert.Contains("content GET /model.safetensors", Server.Requests);
    }

    [Fact]
    public async Task Headers_of_another_host_are_not_believed()
    {
        Server.AnnouncesDigests = false;
        Server.Add("model.safetensors", HubServer.Noise(5000, 1), large: true);
        Server.Intercept = (context, role) =>
        {
            if (role == "content")
            {
                context.Response.Headers.ETag = $"\"{new string('a', 64)}\"";
                context.Response.Headers["X-Linked-Etag"] = $"\"{new string('b', 64)}\"";
            }
            return Task.FromResult(false);
        };
        await PullAsync();
        AssertHas("model.safetensors");
    }

    [Theory]
    [InlineData(401, null, MmErrorCode.Unauthenticated, "set HF_TOKEN")]
    [InlineData(401, "RepoNotFound", MmErrorCode.NotFound, "private")]
    [InlineData(403, "GatedRepo", MmErrorCode.PermissionDenied, "terms")]
    [InlineData(404, null, MmErrorCode.NotFound, "acme/Tiny-1.5")]
    public async Task A_refusal_is_told_and_not_repeated(int status, string? errorCode, MmErrorCode code, string words)
    {
        Server.Intercept = (context, _) =>
        {
            context.Response.StatusCode = status;
            context.Response.Headers["X-Error-Code"] = errorCode;
            return Task.FromResult(true);
        };
        Assert.Contains(words, (await FailsAsync(code)).Message);
        Assert.Single(Server.Requests);
        Assert.False(Directory.Exists(Folder));
    }

    [Theory]
    [InlineData(429, MmErrorCode.ResourceExhausted)]
    [InlineData(503, MmErrorCode.Unavailable)]
    [InlineData(500, MmErrorCode.Unavailable)]
    public async Task A_passing_refusal_is_repeated_with_growing_waits_and_then_told(int status, MmErrorCode code)
    {
        Server.Intercept = (context, _) =>
        {
            context.Response.StatusCode = status;
            return Task.FromResult(true);
        };
        await FailsAsync(code);
        Assert.Equal(4, Server.Requests.Count);
        TimeSpan[] waits = [.. Time.Waits];
        Assert.Equal(3, waits.Length);
        Assert.InRange(waits[0].TotalSeconds, 0.75, 1);
        Assert.InRange(waits[2].TotalSeconds, 3, 4);
    }

    [Fact]
    public async Task A_wish_to_wait_is_honoured()
    {
        Server.Add("config.json", "{}"u8.ToArray());
        int refusals = 0;
        Server.Intercept = (context, _) =>
        {
            if (refusals++ > 0)
            {
                return Task.FromResult(false);
            }
            context.Response.StatusCode = 429;
            context.Response.Headers.RetryAfter = "17";
            return Task.FromResult(true);
        };
        await PullAsync();
        Assert.Equal(TimeSpan.FromSeconds(17), Assert.Single(Time.Waits));
    }

    [Theory]
    [InlineData("../evil")]
    [InlineData("/etc/evil")]
    [InlineData("a/../../evil")]
    [InlineData("a//b")]
    [InlineData("a\\\\..\\\\evil")]
    [InlineData(".mm-pull/manifest.json")]
    [InlineData("")]
    [InlineData("a\\u0000b")]
    [InlineData("a/.")]
    [InlineData("C:evil")]
    public async Task A_file_name_that_leads_elsewhere_is_refused(string name)
    {
        Server.Add("NAME", "x"u8.ToArray());
        Server.EditList = list => list.Replace("NAME", name, StringComparison.Ordinal);
        Assert.Contains("no plain relative path", (await FailsAsync(MmErrorCode.Unavailable)).Message);
        Assert.Single(Server.Requests);
        Assert.False(Directory.Exists(Folder));
    }

    [Fact]
    public async Task A_link_inside_the_model_is_not_written_through()
    {
        string outside = Directory.CreateTempSubdirectory("mm-outside-").FullName;
        try
        {
            Directory.CreateDirectory(Folder);
            Directory.CreateSymbolicLink(Path.Combine(Folder, "sub"), outside);
            Server.Add("sub/config.json", "{}"u8.ToArray());
            Assert.Contains("symbolic link", (await FailsAsync(MmErrorCode.InvalidArgument)).Message);
            Assert.Empty(Directory.EnumerateFileSystemEntries(outside));
        }
        finally
        {
            Directory.Delete(outside, recursive: true);
        }
    }

    [Fact]
    public async Task A_link_in_a_files_place_is_replaced_and_not_followed()
    {
        string outside = Path.GetTempFileName();
        try
        {
            Directory.CreateDirectory(Folder);
            File.CreateSymbolicLink(Path.Combine(Folder, "config.json"), outside);
            Server.Add("config.json", "{}"u8.ToArray());
            await PullAsync();
            Assert.Equal("", await File.ReadAllTextAsync(outside, TestContext.Current.CancellationToken));
            Assert.Null(new FileInfo(Path.Combine(Folder, "config.json")).LinkTarget);
        }
        finally
        {
            File.Delete(outside);
        }
    }

    [Theory]
    [InlineData("file:///etc/passwd")]
    [InlineData("ftp://127.0.0.1/x")]
    public async Task A_redirect_to_another_scheme_is_not_followed(string location)
    {
        Server.Intercept = (context, _) =>
        {
            context.Response.StatusCode = 302;
            context.Response.Headers.Location = location;
            return Task.FromResult(true);
        };
        Assert.Contains("not followed", (await FailsAsync(MmErrorCode.Unavailable)).Message);
    }

    [Fact]
    public async Task Redirects_without_an_end_are_given_up()
    {
        Server.Intercept = (context, _) =>
        {
            context.Response.StatusCode = 307;
            context.Response.Headers.Location = context.Request.Path.Value;
            return Task.FromResult(true);
        };
        Assert.Contains("redirects", (await FailsAsync(MmErrorCode.Unavailable)).Message);
    }

    [Theory]
    [InlineData("no json")]
    [InlineData("{}")]
    [InlineData("{\"siblings\": 5}")]
    [InlineData("{\"siblings\": [{}]}")]
    public async Task A_list_that_makes_no_sense_is_refused(string list)
    {
        Server.EditList = _ => list;
        Assert.Contains("cannot be read", (await FailsAsync(MmErrorCode.Unavailable)).Message);
    }

    [Fact]
    public async Task Too_little_space_is_told_before_anything_is_fetched()
    {
        Server.Add("model.safetensors", HubServer.Noise(5_000_000, 1), large: true);
        using HubPuller puller = Puller(freeBytes: _ => 2 << 20);
        MmException error = await Assert.ThrowsAsync<MmException>(() => puller.PullAsync(Id, stop: TestContext.Current.CancellationToken));
        Assert.Equal(MmErrorCode.ResourceExhausted, error.Code);
        Assert.Contains("needs 4 MiB more", error.Message);
        Assert.Single(Server.Requests);
    }

    [Fact]
    public async Task A_hub_that_cannot_be_reached_is_named()
    {
        await Server.DisposeAsync();
        using var puller = new HubPuller(Store, new HubOptions { Endpoint = new Uri("http://127.0.0.1:1"), MaxAttempts = 2, StallTimeout = StallTimeout }, Time);
        MmException error = await Assert.ThrowsAsync<MmException>(() => puller.PullAsync(Id, stop: TestContext.Current.CancellationToken));
        Assert.Equal(MmErrorCode.Unavailable, error.Code);
        Assert.Contains("127.0.0.1:1", error.Message);
    }
}
