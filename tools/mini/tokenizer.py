"""A byte-level BPE of our own sentences, trained here and written as a Hugging Face tokenizer.json."""
import collections
import json
import re

SPECIAL = ["<pad>", "<s>", "</s>", "<image>"]
PAD, BOS, EOS, IMAGE = range(4)
# GPT-2's split, in the classes that Python's re knows; the JSON carries the original pattern (ByteLevel).
SPLIT = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")


def byte_letters():
    """GPT-2's printable letter for each byte."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters, extra = {b: chr(b) for b in kept}, 0
    for b in range(256):
        if b not in letters:
            letters[b] = chr(256 + extra)
            extra += 1
    return letters


LETTERS = byte_letters()


def train(counts, vocabulary):
    """Merges of the most frequent pair first (ties: the smaller strings), until the vocabulary is full."""
    words = [([LETTERS[b] for b in w.encode("utf-8")], n) for w, n in sorted(counts.items())]
    tokens = SPECIAL + [LETTERS[b] for b in range(256)]
    merges = []
    pairs, where = collections.Counter(), collections.defaultdict(set)
    for i, (w, n) in enumerate(words):
        for p in zip(w, w[1:]):
            pairs[p] += n
            where[p].add(i)
    while len(tokens) < vocabulary and pairs:
        best = min(pairs.items(), key=lambda item: (-item[1], item[0]))
        pair = best[0]
        if best[1] <= 0:
            break
        merges.append(pair)
        tokens.append(pair[0] + pair[1])
        for i in list(where[pair]):
            w, n = words[i]
            for p in zip(w, w[1:]):
                pairs[p] -= n
                if pairs[p] <= 0:
                    del pairs[p]
            out, j = [], 0
            while j < len(w):
                if j + 1 < len(w) and (w[j], w[j + 1]) == pair:
                    out.append(w[j] + w[j + 1])
                    j += 2
                else:
                    out.append(w[j])
                    j += 1
            words[i] = (out, n)
            for p in zip(out, out[1:]):
                pairs[p] += n
                where[p].add(i)
    return tokens, merges


def write(path, tokens, merges):
    special = [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                "special": True} for i, t in enumerate(SPECIAL)]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    content = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special, "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                     {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [BOS], "tokens": ["<s>"]}}},
        "decoder": level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {t: i for i, t in enumerate(tokens)}, "merges": [list(m) for m in merges]}}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


class Tokenizer:
    """Encodes and decodes with a tokenizer.json written above."""

    def __init__(self, path):
        model = json.loads(path.read_text(encoding="utf-8"))["model"]
        self.ids = model["vocab"]
        self.tokens = {i: t for t, i in self.ids.items()}
        self.rank = {tuple(m): i for i, m in enumerate(model["merges"])}
        self.cache = {}
        self.special = re.compile("(" + "|".join(re.escape(s) for s in SPECIAL) + ")")
        self.bytes = {c: b for b, c in LETTERS.items()}

    def _word(self, word):
        w = [LETTERS[b] for b in word.encode("utf-8")]
        while len(w) > 1:
            rank, i = min((self.rank.get(p, 1 << 30), i) for i, p in enumerate(zip(w, w[1:])))
            if rank == 1 << 30:
                break
            w[i:i + 2] = [w[i] + w[i + 1]]
        return [self.ids[t] for t in w]

    def encode(self, text):
        """Token ids without <s>; special tokens written in the text are recognised."""
        ids = []
        for part in self.special.split(text):
            if part in SPECIAL:
                ids.append(self.ids[part])
                continue
            for word in SPLIT.findall(part):
                found = self.cache.get(word)
                if found is None:
                    found = self.cache[word] = self._word(word)
                ids.extend(found)
        return ids

    def decode(self, ids):
        text = "".join(self.tokens[i] for i in ids if i >= len(SPECIAL))
        return bytes(self.bytes[c] for c in text).decode("utf-8", errors="replace")
