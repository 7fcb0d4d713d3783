using MmCluster.Conformance.Grains;

namespace MmCluster.Conformance;

/// <summary>Arguments and results belong to their side, also inside a silo.</summary>
public sealed class CopyTests(InsideCluster cluster) : IClassFixture<InsideCluster>
{
    [Fact]
    public async Task Arguments_and_results_are_copies()
    {
        Note note = new() { Text = "mine", Numbers = [1] };
        note.Next = note;
        Note back = await cluster.Grains.GetGrain<IEchoGrain>("copies").GiveBack(note);
        Assert.Equal("mine", note.Text);
        Assert.Equal("mine!", back.Text);
        Assert.NotSame(note.Numbers, back.Numbers);
        Assert.Same(back, back.Next);
    }

    [Fact]
    public async Task Immutable_values_are_not_copied() =>
        Assert.True(await cluster.Grains.GetGrain<IEchoGrain>("immutable").IsSame(Kept.Frozen));

    [Fact]
    public async Task An_argument_changed_after_the_call_does_not_reach_the_grain()
    {
        Note note = new() { Text = "before" };
        Task<Note> call = cluster.Grains.GetGrain<IEchoGrain>("race").GiveBack(note);
        note.Text = "after";
        Assert.Equal("before!", (await call).Text);
    }

    [Fact]
    public async Task Errors_keep_their_type_inside_a_silo()
    {
        RefusedException error = await Assert.ThrowsAsync<RefusedException>(() => cluster.Grains.GetGrain<IEchoGrain>("error").Fail("own"));
        Assert.Equal(42, error.Code);
    }
}
