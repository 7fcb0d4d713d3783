using System.Text;
using System.Text.Json.Nodes;
using MmCluster.Cli.Evaluation;

namespace MmCluster.Cli.Tests.Evaluation;

public sealed class EvalDataTests
{
    public static TheoryData<string, string, string> WrongRules => new()
    {
        { "schema", "2", "schema" },
        { "canvas", "100000", "canvas" },
        { "canvas", "\"wide\"", "canvas" },
        { "cells", "[\"left\"]", "cells" },
        { "cells", "null", "cells" },
        { "sizes", "{}", "sizes.1" },
        { "sizes", "{\"1\":[300,320]}", "sizes.1" },
        { "sizes", "{\"1\":[90,80]}", "sizes.1" },
        { "reach_percent", "100", "sizes.1" },
        { "apart_percent", "[]", "apart_percent" },
        { "angle", "-1", "angle" },
        { "heldout", "{\"pair_modulus\":0,\"grid\":6,\"cell_modulus\":9,\"mirror_modulus\":2}", "heldout" },
        { "colours", "{\"red\":[[0,0,0],[256,0,0]],\"blue\":[[0,0,0],[1,1,1]]}", "colours.red" },
        { "colours", "{\"red\":null,\"blue\":[null,[1,1,1]]}", "colours.red" },
        { "textures", "[\"tartan\"]", "tartan" },
        { "textures", "[null]", "textures[0]" },
        { "relation", "null", "eval.json" },
        { "texture_period", "[0,4]", "texture_period" },
        { "questions", "{}", "questions.name_one" },
        { "tasks", "{\"smell\":5}", "tasks.smell" },
        { "tasks", "{\"name\":1000000000}", "tasks.name" },
        { "tasks", "[]", "tasks" },
    };

    [Theory, MemberData(nameof(WrongRules))]
    public async Task Wrong_rules_are_refused_by_file_and_key(string key, string value, string named)
    {
        using TemporaryFolder folder = Copy(rules => rules[key] = JsonNode.Parse(value));
        InvalidDataException error = await Assert.ThrowsAsync<InvalidDataException>(() => EvalData.ReadAsync(folder.Path, TestContext.Current.CancellationToken));
        Assert.StartsWith(Path.Combine(folder.Path, "eval.json"), error.Message, StringComparison.Ordinal);
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Text_that_is_no_json_or_has_no_end_is_refused_by_file()
    {
        using TemporaryFolder folder = Copy();
        string path = folder.Write("eval.json", "{\"schema\": 1,"u8.ToArray());
        Assert.StartsWith(path, (await Refusal(folder)).Message, StringComparison.Ordinal);
        folder.Write("eval.json", new byte[(1 << 20) + 1]);
        Assert.StartsWith(path, (await Refusal(folder)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../a.png", "leads out of the folder")]
    [InlineData("/etc/a.png", "leads out of the folder")]
    [InlineData("sprites/../../a.png", "leads out of the folder")]
    [InlineData("", "1 to 100 characters")]
    public async Task A_sprite_outside_the_folder_is_refused(string file, string why)
    {
        using TemporaryFolder folder = Copy(names: names => names["kinds"]![3]!["file"] = file);
        InvalidDataException error = await Refusal(folder);
        Assert.Contains("names.json: kinds[3]", error.Message, StringComparison.Ordinal);
        Assert.Contains(why, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Too_many_or_too_large_sprites_are_refused_before_one_is_read()
    {
        using TemporaryFolder large = Copy(names: names => names["side"] = 100_000);
        Assert.Contains("side", (await Refusal(large)).Message, StringComparison.Ordinal);
        using TemporaryFolder few = Copy(names: names => names["kinds"] = new JsonArray());
        Assert.Contains("kinds", (await Refusal(few)).Message, StringComparison.Ordinal);
        using TemporaryFolder twice = Copy(names: names => names["kinds"]![1] = names["kinds"]![0]!.DeepClone());
        Assert.Contains("twice", (await Refusal(twice)).Message, StringComparison.Ordinal);
        using TemporaryFolder other = Copy(names: names => names["side"] = 64);
        Assert.Contains("96 x 96", (await Refusal(other)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_damaged_sprite_is_named()
    {
        using TemporaryFolder folder = Copy();
        string path = Directory.GetFiles(Path.Combine(folder.Path, "sprites"))[0];
        byte[] bytes = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        bytes[60] ^= 1;
        await File.WriteAllBytesAsync(path, bytes, TestContext.Current.CancellationToken);
        Assert.StartsWith(path, (await Refusal(folder)).Message, StringComparison.Ordinal);
        await File.WriteAllBytesAsync(path, "GIF89a"u8.ToArray(), TestContext.Current.CancellationToken);
        Assert.StartsWith(path, (await Refusal(folder)).Message, StringComparison.Ordinal);
        File.Delete(path);
        await Assert.ThrowsAsync<FileNotFoundException>(() => EvalData.ReadAsync(folder.Path, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Rules_that_leave_no_scene_end_with_an_error()
    {
        using TemporaryFolder folder = Copy(rules => rules["relation"]!["least"] = 1000);
        EvalData data = await EvalData.ReadAsync(folder.Path, TestContext.Current.CancellationToken);
        var set = new EvalSet(new EvalWorld(data.Spec, data.Kinds));
        EvalColumn pairs = data.Spec.Columns.Single(column => column.HeldOutPairs);
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => set.Draw(pairs, "position", 0));
        Assert.Contains("heldout_pairs.position", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Kinds_that_are_all_held_out_from_each_other_end_with_an_error()
    {
        using TemporaryFolder folder = Copy(rules => rules["heldout"]!["pair_modulus"] = 1);
        EvalData data = await EvalData.ReadAsync(folder.Path, TestContext.Current.CancellationToken);
        var set = new EvalSet(new EvalWorld(data.Spec, data.Kinds));
        Assert.Throws<InvalidDataException>(() => set.Draw(data.Spec.Columns[0], "position", 0));
    }

    private static Task<InvalidDataException> Refusal(TemporaryFolder folder) =>
        Assert.ThrowsAsync<InvalidDataException>(() => EvalData.ReadAsync(folder.Path, TestContext.Current.CancellationToken));

    // The shipped set, changed.
    private static TemporaryFolder Copy(Action<JsonNode>? rules = null, Action<JsonNode>? names = null)
    {
        var folder = new TemporaryFolder();
        Directory.CreateDirectory(Path.Combine(folder.Path, "sprites"));
        foreach (string sprite in Directory.EnumerateFiles(Path.Combine(Shipped.Folder, "sprites")))
        {
            File.Copy(sprite, Path.Combine(folder.Path, "sprites", Path.GetFileName(sprite)));
        }
        Change("eval.json", rules);
        Change("names.json", names);
        return folder;

        void Change(string name, Action<JsonNode>? change)
        {
            JsonNode json = JsonNode.Parse(File.ReadAllBytes(Path.Combine(Shipped.Folder, name)))!;
            change?.Invoke(json);
            folder.Write(name, Encoding.UTF8.GetBytes(json.ToJsonString()));
        }
    }
}
