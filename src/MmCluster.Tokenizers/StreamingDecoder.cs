using System.Text;

namespace MmCluster.Tokenizers;

/// <summary>
/// Decodes one sequence id by id. Text comes as soon as it can no longer change: never half a character, and all pieces
/// together equal <see cref="Tokenizer.Decode"/> of all ids. Not thread-safe; one object per sequence.
/// </summary>
public sealed class StreamingDecoder
{
    private readonly StringBuilder _output = new();
    private readonly IdDecoder _decoder;
    private readonly Func<int, bool> _skips;
    private bool _finished;

    internal StreamingDecoder(TokenizerCore core, Func<int, bool> skips)
    {
        _decoder = core.CreateDecoder(_output);
        _skips = skips;
    }

    /// <summary>Takes the next id and returns the text that it completes, often empty. An id without token adds nothing.</summary>
    /// <exception cref="InvalidOperationException">After <see cref="Finish"/>.</exception>
    public string Append(int id)
    {
        ObjectDisposedException.ThrowIf(_finished, this);
        if (!_skips(id))
        {
            _decoder.Write(id);
        }
        return Take();
    }

    /// <summary>Ends the sequence and returns what was still held back, such as U+FFFD for an unfinished character.</summary>
    public string Finish()
    {
        if (!_finished)
        {
            _finished = true;
            _decoder.Finish();
        }
        return Take();
    }

    private string Take()
    {
        if (_output.Length == 0)
        {
            return "";
        }
        string text = _output.ToString();
        _output.Clear();
        return text;
    }
}
