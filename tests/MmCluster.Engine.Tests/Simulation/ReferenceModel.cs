using MmCluster.Engine.Simulation;

namespace MmCluster.Engine.Tests.Simulation;

/// <summary>What the simulated model gives for a request on its own, token after token, with nothing cached, batched or planned.</summary>
internal static class ReferenceModel
{
    public static List<int> Generate(EngineRequest request, int choice, EngineOptions options, int vocabulary, int maxLength)
    {
        SamplingParameters sampling = request.Sampling;
        ulong state = SimulatedModel.Start(request.Adapter);
        int length = 0;
        foreach (PromptPiece piece in request.Prompt)
        {
            if (piece is PromptPiece.Media media)
            {
                for (int i = 0; i < media.Input.Length; i++, length++)
                {
                    state = SimulatedModel.Next(state, SimulatedModel.Input(media.Input.PlaceholderToken, 1 + (ulong)i));
                }
            }
            else
            {
                foreach (int token in ((PromptPiece.Tokens)piece).Ids.Span)
                {
                    state = SimulatedModel.Next(state, SimulatedModel.Input(token, null));
                    length++;
                }
            }
        }
        List<int> output = [];
        int[] stops = [.. (sampling.IgnoreEos ? [] : options.EosTokenIds).Concat(sampling.StopTokenIds)];
        while (length < maxLength && output.Count < (sampling.MaxTokens ?? int.MaxValue))
        {
            int token = SimulatedModel.Sample(state, sampling, choice, output.Count, vocabulary);
            while (output.Count < sampling.MinTokens && stops.Contains(token))
            {
                token = (token + 1) % vocabulary;
            }
            output.Add(token);
            length++;
            state = SimulatedModel.Next(state, SimulatedModel.Input(token, null));
            if (stops.Contains(token))
            {
                break;
            }
        }
        return output;
    }
}
