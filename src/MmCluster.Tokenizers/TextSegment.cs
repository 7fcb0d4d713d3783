namespace MmCluster.Tokenizers;

/// <summary>
/// A stretch of a prompt. A prompt is made of text that its author wrote (a template: trusted) and text that a user sent.
/// The tokenizer sees all of it as one text, but special tokens are recognized only where they lie in trusted text whole.
/// </summary>
/// <param name="Text">The characters.</param>
/// <param name="ParseSpecial">Whether special tokens in it are meant as such.</param>
public readonly record struct TextSegment(string Text, bool ParseSpecial);
