using MmCluster.Cli.Clustering;
using MmCluster.Models;

namespace MmCluster.Cli.Tests.Clustering;

public sealed class KeptSecretTests
{
    [Fact]
    public void Processes_that_start_at_the_same_moment_read_one_secret()
    {
        // What goes wrong goes wrong between two system calls: many folders, so that some thread comes in between.
        for (int round = 0; round < 200; round++)
        {
            using var folder = new TemporaryFolder();
            string[] secrets = new string[4];
            using var start = new Barrier(secrets.Length);
            Thread[] threads = [.. Enumerable.Range(0, secrets.Length).Select(i => new Thread(() =>
            {
                start.SignalAndWait();
                secrets[i] = KeptSecret.Of(Path.Combine(folder.Path, "cluster"));
            }))];
            Array.ForEach(threads, thread => thread.Start());
            Array.ForEach(threads, thread => thread.Join());
            Assert.Matches("^[0-9a-f]{64}$", Assert.Single(secrets.Distinct()));
        }
    }

    [Fact]
    public void A_secret_that_lies_there_is_taken_and_only_its_user_reads_a_drawn_one()
    {
        using var folder = new TemporaryFolder();
        folder.Write("secret", "ours\n"u8.ToArray());
        Assert.Equal("ours", KeptSecret.Of(folder.Path));
        string other = Path.Combine(folder.Path, "other");
        Assert.Equal(KeptSecret.Of(other), KeptSecret.Of(other));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(other, "secret")));
        }
    }

    [Fact]
    public void A_folder_that_cannot_be_used_is_named()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(Path.Combine(folder.Path, "secret"));
        MmException refused = Assert.Throws<MmException>(() => KeptSecret.Of(folder.Path));
        Assert.Equal(MmErrorCode.Unavailable, refused.Code);
        Assert.Contains(folder.Path, refused.Message, StringComparison.Ordinal);
    }
}
