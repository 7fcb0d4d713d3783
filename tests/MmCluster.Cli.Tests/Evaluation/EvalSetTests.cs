using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using MmCluster.Cli.Evaluation;
using MmCluster.Media.Images;

namespace MmCluster.Cli.Tests.Evaluation;

public sealed class EvalSetTests
{
    [Fact]
    public async Task Every_question_and_answer_is_the_references()
    {
        EvalData data = await Shipped.ReadAsync();
        var set = new EvalSet(new EvalWorld(data.Spec, data.Kinds));
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        int count = 0;
        foreach ((EvalColumn column, string task, int index) in set.Names())
        {
            EvalItem item = set.Draw(column, task, index);
            digest.AppendData(Encoding.UTF8.GetBytes($"{item.Column}/{item.Task}/{item.Index}|{item.Question}|{item.Expected}\n"));
            count++;
        }
        Assert.Equal(Shipped.Reference.GetProperty("items").GetInt32(), count);
        Assert.Equal(Shipped.Reference.GetProperty("words_sha256").GetString(), Convert.ToHexStringLower(digest.GetHashAndReset()));
    }

    [Fact]
    public async Task The_first_scenes_and_their_pictures_are_the_references_to_the_byte()
    {
        EvalData data = await Shipped.ReadAsync();
        var set = new EvalSet(new EvalWorld(data.Spec, data.Kinds));
        var composer = new Composer(data.Sprites, data.Spec.Canvas);
        List<string> wrong = [];
        JsonElement[] rows = [.. Shipped.Reference.GetProperty("first").EnumerateArray()];
        foreach (JsonElement row in rows)
        {
            string name = $"{row.GetProperty("column")}/{row.GetProperty("task")}/{row.GetProperty("index")}";
            EvalColumn column = data.Spec.Columns.Single(column => column.Name == row.GetProperty("column").GetString());
            EvalItem item = set.Draw(column, row.GetProperty("task").GetString()!, row.GetProperty("index").GetInt32());
            Assert.Equal((name, Describe(row)), (name, Describe(item, data)));
            using Picture picture = composer.Compose(item.Scene);
            if (row.GetProperty("pixel_sha256").GetString() != Convert.ToHexStringLower(SHA256.HashData(picture.Pixels)))
            {
                wrong.Add(name);
            }
        }
        Assert.True(rows.Length > 50);
        Assert.Empty(wrong);
    }

    [Fact]
    public async Task A_limit_takes_the_first_items_of_each_task()
    {
        EvalData data = await Shipped.ReadAsync();
        var set = new EvalSet(new EvalWorld(data.Spec, data.Kinds));
        (EvalColumn Column, string Task, int Index)[] names = [.. set.Names(limit: 2)];
        Assert.Equal(2 * data.Spec.Columns.Sum(column => column.Tasks.Count), names.Length);
        Assert.All(names, name => Assert.InRange(name.Index, 0, 1));
    }

    [Fact]
    public async Task Second_renderings_show_mirrored_objects_that_training_never_mirrors()
    {
        EvalData data = await Shipped.ReadAsync();
        var world = new EvalWorld(data.Spec, data.Kinds);
        var set = new EvalSet(world);
        EvalColumn column = data.Spec.Columns.Single(column => column.SecondRendering);
        Thing[] things = [.. Enumerable.Range(0, 50).SelectMany(i => set.Draw(column, "name", i).Scene.Things)];
        Assert.All(things, thing => Assert.True(thing.Mirrored && !world.IsMirroredInTraining(thing.Kind)));
    }

    [Theory]
    [InlineData("", 0x811C9DC5u)]
    [InlineData("a", 0xE40C292Cu)]
    [InlineData("foobar", 0xBF9CF968u)]
    public void The_hash_is_fnv_1a(string text, uint expected) => Assert.Equal(expected, Fnv1a.Hash(text));

    [Fact]
    public void The_generator_is_splitmix64()
    {
        // Of seed 0 the first outputs are e220a8397b1dcdaf, 6e789e6aa1b965f4, 06c45d188009454f.
        var random = new SplitMix64(0);
        Assert.Equal([(int)(0xe220a8397b1dcdafUL >> 33), (int)(0x6e789e6aa1b965f4UL >> 33), (int)(0x06c45d188009454fUL >> 33)],
            Enumerable.Range(0, 3).Select(_ => random.Below(int.MaxValue)));
    }

    private static string Describe(EvalItem item, EvalData data) => Describe(
        item.Question, item.Expected,
        item.Scene.Things.Select(thing => string.Create(
            CultureInfo.InvariantCulture, $"{data.Kinds[thing.Kind].Name} {thing.X} {thing.Y} {thing.Size} {thing.Angle} {thing.Mirrored}")),
        item.Scene.Background.Colour, string.Join(' ', item.Scene.Background.First), string.Join(' ', item.Scene.Background.Second),
        item.Scene.Background.Texture.ToString().ToLowerInvariant(), item.Scene.Background.Period);

    private static string Describe(JsonElement row) => Describe(
        row.GetProperty("question").GetString()!, row.GetProperty("answer").GetString()!,
        row.GetProperty("objects").EnumerateArray().Select(thing => string.Join(' ', thing.EnumerateArray())),
        row.GetProperty("colour").GetString()!,
        string.Join(' ', row.GetProperty("first").EnumerateArray()), string.Join(' ', row.GetProperty("second").EnumerateArray()),
        row.GetProperty("texture").GetString()!, row.GetProperty("period").GetInt32());

    private static string Describe(
        string question, string answer, IEnumerable<string> things, string colour, string first, string second, string texture, int period) =>
        $"{question} {answer} [{string.Join("; ", things)}] {colour} {first} / {second} {texture} {period}";
}
