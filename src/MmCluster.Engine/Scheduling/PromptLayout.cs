using System.Buffers.Binary;
using MmCluster.Engine.Kv;
using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Engine;

/// <summary>A media item at its place in a sequence.</summary>
internal readonly record struct PromptMedia(int Position, int Length, UInt128 Key, bool Bidirectional, Task<Tensor> Features)
{
    public int End => Position + Length;
}

/// <summary>A request's pieces laid out by position, and the cache keys of its full prompt blocks. Made once, on the submitter's thread.</summary>
internal sealed class PromptLayout
{
    private PromptLayout(int[] tokens, PromptMedia[] media)
    {
        Tokens = tokens;
        Media = media;
    }

    /// <summary>What the decoder sees, placeholder ids where media stand.</summary>
    public int[] Tokens { get; }

    /// <summary>Media among <see cref="Tokens"/>, by position.</summary>
    public PromptMedia[] Media { get; }

    /// <summary>The encoder's input of an encoder-decoder, else empty.</summary>
    public int[] EncoderTokens { get; private init; } = [];

    /// <summary>Media among <see cref="EncoderTokens"/>.</summary>
    public PromptMedia[] EncoderMedia { get; private init; } = [];

    /// <summary>Whether the prompt attends to itself in both directions and so is computed in one chunk.</summary>
    public bool Bidirectional { get; private init; }

    /// <summary>Parent key of the first block.</summary>
    public UInt128 Root { get; private set; }

    /// <summary>Keys of the prompt's full blocks.</summary>
    public UInt128[] Keys { get; private set; } = [];

    /// <summary>Positions of prompt that usage reports.</summary>
    public int PromptTokens => EncoderTokens.Length > 0 ? EncoderTokens.Length : Tokens.Length;

    /// <exception cref="MmException">InvalidArgument: an empty prompt, an id outside of the vocabulary, a media item without length.</exception>
    public static PromptLayout Build(EngineRequest request, ExecutorDescription model, string salt, bool keys)
    {
        (int[] tokens, PromptMedia[] media) = Flatten(request.Prompt, model.VocabularySize);
        PromptLayout layout = model.Kind == DecoderKind.EncoderDecoder
            ? new PromptLayout(Checked(request.DecoderPrompt.ToArray(), model.VocabularySize), [])
            {
                EncoderTokens = tokens,
                EncoderMedia = media,
            }
            : new PromptLayout(tokens, media) { Bidirectional = model.Kind == DecoderKind.PrefixLm };
        if (tokens.Length == 0 || layout.Tokens.Length == 0)
        {
            throw Invalid("the prompt is empty", tokens.Length == 0 ? "prompt" : "decoder_prompt");
        }
        if (keys)
        {
            layout.ComputeKeys(request, model, salt);
        }
        return layout;
    }

    private void ComputeKeys(EngineRequest request, ExecutorDescription model, string salt)
    {
        byte[] context = Bidirectional ? Digest(Tokens, Media) : EncoderTokens.Length > 0 ? Digest(EncoderTokens, EncoderMedia) : [];
        Root = BlockKeys.Root(model.KvFormat, request.Adapter, salt, context);
        Keys = new UInt128[Tokens.Length / model.BlockSize];
        UInt128 parent = Root;
        int firstMedia = 0;
        for (int i = 0; i < Keys.Length; i++)
        {
            int start = i * model.BlockSize;
            while (firstMedia < Media.Length && Media[firstMedia].End <= start)
            {
                firstMedia++;
            }
            int pastMedia = firstMedia;
            while (pastMedia < Media.Length && Media[pastMedia].Position < start + model.BlockSize)
            {
                pastMedia++;
            }
            parent = Keys[i] = BlockKeys.Next(
                parent, Tokens.AsSpan(start, model.BlockSize), start, Media.AsSpan(firstMedia..pastMedia));
        }
    }

    private static byte[] Digest(int[] tokens, PromptMedia[] media)
    {
        byte[] key = new byte[16];
        BinaryPrimitives.WriteUInt128LittleEndian(key, BlockKeys.Next(0, tokens, 0, media));
        return key;
    }

    private static (int[] Tokens, PromptMedia[] Media) Flatten(IReadOnlyList<PromptPiece> pieces, int vocabulary)
    {
        List<int> tokens = [];
        List<PromptMedia> media = [];
        foreach (PromptPiece piece in pieces)
        {
            switch (piece)
            {
                case PromptPiece.Tokens text:
                    tokens.AddRange(text.Ids.Span);
                    break;
                case PromptPiece.Media { Input: { } input }:
                    if (input.Length < 1)
                    {
                        throw Invalid($"media item {media.Count} takes {input.Length} positions; at least 1 is needed", "prompt");
                    }
                    media.Add(new PromptMedia(tokens.Count, input.Length, input.Key, input.Bidirectional, input.Features));
                    tokens.AddRange(Enumerable.Repeat(input.PlaceholderToken, input.Length));
                    break;
                default:
                    throw new System.Diagnostics.UnreachableException($"no layout for a {piece.GetType().Name}");
            }
        }
        return (Checked([.. tokens], vocabulary), [.. media]);
    }

    private static int[] Checked(int[] tokens, int vocabulary)
    {
        int wrong = Array.FindIndex(tokens, id => (uint)id >= (uint)vocabulary);
        return wrong < 0
            ? tokens
            : throw Invalid($"token {wrong} of the prompt is {tokens[wrong]}; ids go from 0 to {vocabulary - 1}", "prompt");
    }

    private static MmException Invalid(string message, string param) => new(MmErrorCode.InvalidArgument, message) { Param = param };
}
