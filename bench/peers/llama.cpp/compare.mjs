// Times `mm bench llm` and llama.cpp in turns on the same random 1.1B weights and prints the medians of the rounds' ratios.
// usage: node compare.mjs MODEL_DIR [--dtypes bf16,q8_0] [--rounds 5] [--prompt 256] [--new 32] [--threads 2] [--repeat 3] [--out FILE]
// MODEL_DIR holds what make_model wrote: config.json, model.safetensors, model-bf16.gguf, model-q8_0.gguf.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import os from "node:os";

const here = dirname(fileURLToPath(import.meta.url));
const option = (name, fallback) => {
  const at = process.argv.indexOf("--" + name);
  return at < 0 ? fallback : process.argv[at + 1];
};
const model = process.argv[2];
const shape = ["prompt", "new", "threads", "repeat"].flatMap(
  name => ["--" + name, option(name, { prompt: "256", new: "32", threads: "2", repeat: "3" }[name])]);
const rounds = Number(option("rounds", "5"));
const lastLine = text => JSON.parse(text.trim().split("\n").at(-1));
const mm = dtype => lastLine(execFileSync(join(here, "../../../mm"),
  ["bench", "llm", "--model", model, "--dtype", dtype, ...shape, "--json"], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }));
const llama = dtype => lastLine(execFileSync("node",
  [join(here, "bench.mjs"), join(model, `model-${dtype}.gguf`), ...shape], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }));
const median = values => values.toSorted((x, y) => x - y)[values.length >> 1];

const raw = [], table = [];
for (const dtype of option("dtypes", "bf16,q8_0").split(",")) {
  const pairs = [];
  for (let round = 0; round < rounds; round++) {
    // Who goes first alternates, so that a drift of the machine's speed favours neither.
    const order = round % 2 ? [llama, mm] : [mm, llama];
    const results = order.map(run => run(dtype));
    const [ours, theirs] = round % 2 ? results.toReversed() : results;
    pairs.push({ ours, theirs });
    raw.push({ dtype, round, ours, theirs });
    console.error(JSON.stringify(raw.at(-1)));
  }
  const ratio = key => +median(pairs.map(pair => pair.ours[key] / pair.theirs[key])).toFixed(3);
  const of = (who, key) => +median(pairs.map(pair => pair[who][key])).toFixed(1);
  const sameFirst = pairs.every(pair => pair.ours.first.slice(0, 4).join() === pair.theirs.first.slice(0, 4).join());
  table.push({
    dtype, prefill_ratio: ratio("prefill_tok_s"), decode_ratio: ratio("decode_tok_s"),
    prefill: of("ours", "prefill_tok_s"), llama_prefill: of("theirs", "prefill_tok_s"),
    decode: of("ours", "decode_tok_s"), llama_decode: of("theirs", "decode_tok_s"),
    peak_rss_mb: of("ours", "peak_rss_mb"), load_s: of("ours", "load_s"), first_4_ids_equal: sameFirst,
  });
}
console.table(table);
const cpu = os.cpus()[0].model;
const report = { schema: 1, date: new Date().toISOString(), machine: `${cpu}, ${os.cpus().length} cores`, command: process.argv.slice(2), table, raw };
if (option("out")) writeFileSync(option("out"), JSON.stringify(report, null, 1) + "\n");
console.log(JSON.stringify({ table }));
