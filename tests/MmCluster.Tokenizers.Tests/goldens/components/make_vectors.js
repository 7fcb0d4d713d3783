// What the reference library makes of single components: npm install --ignore-scripts tokenizers && node make_vectors.js
// The model has only byte tokens and ends each word with U+2551, so that its tokens spell normalized text and word ends.
const { Tokenizer } = require('tokenizers');
const fs = require('fs');
const path = require('path');

const N = (type, options = {}) => ({ type, ...options });
const regex = (pattern, behavior = 'Isolated', invert = false) => N('Split', { pattern: { Regex: pattern }, behavior, invert });

const normalizers = {
  NFC: N('NFC'), NFD: N('NFD'), NFKC: N('NFKC'), NFKD: N('NFKD'), Lowercase: N('Lowercase'), Nmt: N('Nmt'), ByteLevel: N('ByteLevel'),
  StripAccents: N('Sequence', { normalizers: [N('NFD'), N('StripAccents')] }),
  StripLeft: N('Strip', { strip_left: true, strip_right: false }),
  Bert: N('BertNormalizer', { clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true }),
  BertCased: N('BertNormalizer', { clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: false }),
  Prepend: N('Prepend', { prepend: '▁' }),
  ReplaceRegex: N('Replace', { pattern: { Regex: '\\s+' }, content: ' ' }),
  ReplaceString: N('Replace', { pattern: { String: ' ' }, content: '▁' }),
};
const preTokenizers = {
  Whitespace: N('Whitespace'), WhitespaceSplit: N('WhitespaceSplit'), Bert: N('BertPreTokenizer'), FixedLength: N('FixedLength', { length: 3 }),
  Punctuation: N('Punctuation', { behavior: 'Isolated' }), PunctuationContiguous: N('Punctuation', { behavior: 'Contiguous' }),
  Digits: N('Digits', { individual_digits: true }), DigitRuns: N('Digits', { individual_digits: false }),
  ByteLevelPrefix: N('ByteLevel', { add_prefix_space: true, trim_offsets: true, use_regex: true }),
  ByteLevelBare: N('ByteLevel', { add_prefix_space: false, trim_offsets: true, use_regex: false }),
  MetaspaceAlways: N('Metaspace', { replacement: '▁', prepend_scheme: 'always', split: true }),
  MetaspaceFirst: N('Sequence', { pretokenizers: [N('Digits', { individual_digits: true }), N('Metaspace', { replacement: '▁', prepend_scheme: 'first', split: true })] }),
  MetaspaceNever: N('Metaspace', { replacement: '▁', prepend_scheme: 'never', split: false }),
  Gpt2: regex("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"),
  Llama3: regex("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"),
  Cl100k: regex("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s"),
  O200k: regex("[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"),
  DeepSeek: regex("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"),
  Clip: regex("<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+", 'Removed', true),
  Word: regex('\\w+'), NotWord: regex('\\W+'), Han: regex('[\\p{Han}&&[^一]]+|[^[a-z]\\s]'), Look: regex('(?<=\\d)(?=\\D)|(?<!\\p{L})\\p{L}'),
  Lazy: regex('.+?\\b'), Lines: regex('^.+$'), Fold: regex('(?i)k|s'),
};
for (const behavior of ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous']) {
  for (const invert of [false, true]) preTokenizers[`Split${behavior}${invert ? 'Inverted' : ''}`] = regex('\\p{L}', behavior, invert);
}
const texts = [
  '', ' ', 'Hello, world!', "it's we'RE I'll don't 'ſ", '  two  spaces \t\n\n  tabs\r\n end  ', 'naïve café e\u0301e\u0301 ﬁ Å Ⅷ½² ß İıIi ΣΑΣς', '字語abc一二12345 ٣٤ 𝟛𝟜',
  '한국어 ㅎㅎ 日本語のテキスト ｶﾞか\u3099', '😀👩‍👩‍👧‍👦🇰🇷🫠 x😀y', '\u00a0nbsp\u3000wide\u200bzero\ufeffbom\u2028line', 'x=1;y=[2,3]//<s>[MASK]</s>_a_b-c…“q”',
  '\u0001\u0008ctrl\u007f\u0085\ufffd', 'MiXeD CaSe HTTPServer ABCdef', '𝒳𐐀𐐨 astral K', '1234567 3.14159 1e-5 12a34', 'ﷺ نص عربي', '▁meta▁▁x ▁', '\u0378\ue000', 'K k ſ S ß ss', 'a\nb\r\nc\rd\n',
];

(async () => {
  const vocab = { '<unk>': 0 };
  for (let b = 0; b < 256; b++) vocab[`<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`] = b + 1;
  const result = { texts, cases: [] };
  for (const [kind, list] of [['normalizer', normalizers], ['pre_tokenizer', preTokenizers]]) {
    for (const [name, component] of Object.entries(list)) {
      const file = { version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null,
        model: { type: 'BPE', dropout: null, unk_token: '<unk>', continuing_subword_prefix: null, end_of_word_suffix: '║', fuse_unk: false, byte_fallback: true, ignore_merges: false, vocab, merges: [] } };
      file[kind] = component;
      const tokenizer = Tokenizer.fromString(JSON.stringify(file));
      const expected = [];
      for (const text of texts) expected.push(Buffer.from((await tokenizer.encode(text, null)).getIds().map(id => id - 1)).toString('utf8'));
      result.cases.push({ name: `${kind} ${name}`, kind, component, expected });
    }
  }
  fs.writeFileSync(path.join(__dirname, 'components.json'), JSON.stringify(result, null, 0).replaceAll('{"name"', '\n{"name"') + '\n');
})();
