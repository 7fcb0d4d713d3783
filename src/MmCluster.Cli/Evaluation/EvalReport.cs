using System.Globalization;
using System.Text;
using MmCluster.Cli.Hosting;
using Spectre.Console;

namespace MmCluster.Cli.Evaluation;

/// <summary>One answered item.</summary>
internal sealed record EvalAnswer(EvalItem Item, string Answer)
{
    public bool IsRight { get; } = Judge.IsRight(Answer, Item.Expected);
}

/// <summary>What the answers come to, as a table, one JSON line, or a line an item.</summary>
internal sealed class EvalReport(IReadOnlyList<EvalAnswer> answers)
{
    /// <summary>Columns with their tasks in the set's order.</summary>
    public IReadOnlyList<(string Column, IReadOnlyList<(string Task, Tally Tally)> Tasks)> Columns { get; } =
    [
        .. answers.GroupBy(answer => answer.Item.Column).Select(column => (column.Key, (IReadOnlyList<(string, Tally)>)
        [
            .. column.GroupBy(answer => answer.Item.Task).Select(task => (task.Key, new Tally(task.Count(answer => answer.IsRight), task.Count()))),
        ])),
    ];

    /// <summary>The object that <c>--json</c> prints.</summary>
    public Dictionary<string, object> Json(string model, ulong seed)
    {
        Dictionary<string, object> json = new() { ["schema"] = 1, ["model"] = model, ["seed"] = seed };
        foreach ((string column, IReadOnlyList<(string Task, Tally Tally)> tasks) in Columns)
        {
            json[column] = tasks.ToDictionary(task => task.Task, task => new
            {
                n = task.Tally.Total,
                correct = task.Tally.Correct,
                accuracy = Math.Round(task.Tally.Accuracy, 4),
                low = Math.Round(task.Tally.Interval.Low, 4),
                high = Math.Round(task.Tally.Interval.High, 4),
            });
        }
        return json;
    }

    /// <summary>A table for people.</summary>
    public Table Table()
    {
        Table table = new Table().Border(TableBorder.Rounded).AddColumns("set", "task");
        foreach (string heading in new[] { "n", "correct", "accuracy", "95 % interval" })
        {
            table.AddColumn(new TableColumn(heading).RightAligned());
        }
        foreach ((string column, IReadOnlyList<(string Task, Tally Tally)> tasks) in Columns)
        {
            foreach ((string task, Tally tally) in tasks)
            {
                table.AddRow(
                    Markup.Escape(column), Markup.Escape(task), $"{tally.Total}", $"{tally.Correct}",
                    string.Create(CultureInfo.InvariantCulture, $"{100 * tally.Accuracy:0.0} %"),
                    string.Create(CultureInfo.InvariantCulture, $"{100 * tally.Interval.Low:0.0} to {100 * tally.Interval.High:0.0}"));
            }
        }
        return table;
    }

    /// <summary>Writes a JSON object a line: the counts follow from them.</summary>
    public async Task WriteItemsAsync(Stream file, CancellationToken stop)
    {
        await using var writer = new StreamWriter(file, new UTF8Encoding(false), leaveOpen: true);
        foreach (EvalAnswer answer in answers)
        {
            EvalItem item = answer.Item;
            string line = JsonLine.Of(new
            {
                column = item.Column,
                task = item.Task,
                index = item.Index,
                question = item.Question,
                expected = item.Expected,
                answer = answer.Answer,
                correct = answer.IsRight,
            });
            await writer.WriteAsync($"{line}\n".AsMemory(), stop);
        }
    }
}
