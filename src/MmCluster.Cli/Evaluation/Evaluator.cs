using System.Text;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Media.Images;
using MmCluster.Media.Images.Png;
using MmCluster.Models;
using MmCluster.Models.Cards;

namespace MmCluster.Cli.Evaluation;

/// <summary>Puts an evaluation set to a model: each item's picture as a PNG file with its question, many in flight.</summary>
internal sealed class Evaluator(LocalModel model, EvalData data)
{
    /// <summary>Requests that wait for answers at a time: enough to fill the encoder's and the engine's batches.</summary>
    public const int InFlight = 32;

    private const int MostAnswerTokens = 60;

    private readonly EvalSet _set = new(new EvalWorld(data.Spec, data.Kinds));
    private readonly Composer _composer = new(data.Sprites, data.Spec.Canvas);

    /// <summary>Number of items with at most <paramref name="limit"/> a task.</summary>
    public int Count(int limit) => _set.Names(limit).Count();

    /// <summary>Asks all items; the answers are in the set's order.</summary>
    /// <param name="limit">Items a task at most.</param>
    /// <param name="answered">Called after each answer, from any thread.</param>
    /// <param name="stop">Ends the run.</param>
    /// <exception cref="MmException">A request failed.</exception>
    public async Task<IReadOnlyList<EvalAnswer>> RunAsync(int limit, Action answered, CancellationToken stop)
    {
        (EvalColumn Column, string Task, int Index)[] names = [.. _set.Names(limit)];
        var answers = new EvalAnswer[names.Length];
        var options = new ParallelOptions { MaxDegreeOfParallelism = InFlight, CancellationToken = stop };
        await Parallel.ForAsync(0, names.Length, options, async (i, cancelled) =>
        {
            EvalItem item = _set.Draw(names[i].Column, names[i].Task, names[i].Index);
            answers[i] = new EvalAnswer(item, await AskAsync(item, cancelled));
            answered();
        });
        return answers;
    }

    private async Task<string> AskAsync(EvalItem item, CancellationToken stop)
    {
        string name = $"{item.Column}/{item.Task}/{item.Index}";
        var request = new ModelRequest
        {
            Input = ModelInput.Chat.FromUser(item.Question, new MediaItem(Modality.Image, Encode(item.Scene), name)),
            Sampling = new SamplingParameters { Temperature = 0, MaxTokens = MostAnswerTokens },
        };
        var answer = new StringBuilder();
        await foreach (SequenceOutput output in model.GenerateAsync(request, stop))
        {
            answer.Append(output.Text);
            if (output.Error is { } error)
            {
                throw error;
            }
        }
        stop.ThrowIfCancellationRequested(); // a cancelled stream ends without an error
        return answer.ToString().Trim();
    }

    private byte[] Encode(Scene scene)
    {
        using Picture picture = _composer.Compose(scene);
        return PngEncoder.Encode(picture);
    }
}
