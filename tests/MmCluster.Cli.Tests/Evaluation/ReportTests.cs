using System.Text.Json;
using MmCluster.Cli.Evaluation;
using MmCluster.Cli.Hosting;

namespace MmCluster.Cli.Tests.Evaluation;

public sealed class ReportTests
{
    // Reference values: Wilson's formula in exact arithmetic, and Wilson 1927 for none and all of n.
    [Theory]
    [InlineData(597, 600, 0.9854, 0.9983)]
    [InlineData(600, 600, 0.9936, 1.0)]
    [InlineData(0, 10, 0.0, 0.2775)]
    [InlineData(1, 2, 0.0945, 0.9055)]
    [InlineData(99, 100, 0.9455, 0.9982)]
    public void The_interval_is_wilsons(int correct, int total, double low, double high)
    {
        (double Low, double High) interval = new Tally(correct, total).Interval;
        Assert.Equal((low, high), (Math.Round(interval.Low, 4), Math.Round(interval.High, 4)));
    }

    [Theory]
    [InlineData("This is a T-shirt.", "this is a t-shirt")]
    [InlineData("  Yes ,\n there\tis one!  ", "yes there is one")]
    [InlineData("", "")]
    [InlineData("...", "")]
    public void Judging_keeps_letters_digits_and_hyphens(string text, string expected) => Assert.Equal(expected, Judge.Normalize(text));

    [Fact]
    public void An_answer_is_right_only_as_a_whole()
    {
        Assert.True(Judge.IsRight("this is a bee", "This is a bee."));
        Assert.False(Judge.IsRight("This is a bee. And a fox.", "This is a bee."));
        Assert.False(Judge.IsRight("This is a bees.", "This is a bee."));
        Assert.False(Judge.IsRight("", "This is a bee."));
    }

    [Fact]
    public async Task The_counts_follow_from_the_items()
    {
        var report = new EvalReport([Answer("tasks", "name", "A bee.", "a bee"), Answer("tasks", "name", "A fox.", "A bee."), Answer("heldout_pairs", "position", "Left \"of\" é.", "left of")]);
        using JsonDocument json = JsonDocument.Parse(JsonLine.Of(report.Json("m", 7)));
        Assert.Equal(
            """{"schema":1,"model":"m","seed":7,"tasks":{"name":{"n":2,"correct":1,"accuracy":0.5,"low":0.0945,"high":0.9055}},"heldout_pairs":{"position":{"n":1,"correct":1,"accuracy":1,"low":0.2065,"high":1}}}""",
            json.RootElement.GetRawText());
        var file = new MemoryStream();
        await report.WriteItemsAsync(file, TestContext.Current.CancellationToken);
        JsonElement[] lines = [.. System.Text.Encoding.UTF8.GetString(file.ToArray()).TrimEnd('\n').Split('\n').Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.Equal([true, false, true], lines.Select(line => line.GetProperty("correct").GetBoolean()));
        Assert.Equal("Left \"of\" é.", lines[2].GetProperty("expected").GetString());
        Assert.Equal("tasks", lines[0].GetProperty("column").GetString());
    }

    private static EvalAnswer Answer(string column, string task, string expected, string answer) =>
        new(new EvalItem(column, task, 0, new Scene([], new Background("red", [0, 0, 0], [0, 0, 0], Texture.Plain, 1)), "?", expected), answer);
}
