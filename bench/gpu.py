"""Correctness and every figure of the GPU in one run, ours and PyTorch's in turns: prints a table, writes bench/results/gpu-COMMIT.json.

Sections run in order until the time budget is used up; what was not measured is null in the file. See gpu.sh.
"""
import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SHAPES = os.path.join(HERE, "shapes")
WEIGHT_BYTES = 13.215e9  # of the 7B shape, without the embedding table, of which a step reads a row a token
FORMAT_SHARE = {"q8_0": 34 / 64, "fp8": 1 / 2}  # of these bytes
KV_BYTES = 0.524288e6    # a position: 32 layers, keys and values, 4096 wide, bf16
PROMPT, NEW = 640, 64


class Bench:
    def __init__(self, options):
        self.options = options
        self.mm = shlex.split(options.mm)
        self.end = time.time() + options.budget
        self.figures, self.verify, self.skipped, self.raw = {}, {}, [], []
        self.copy, self.gemm = None, None

    def left(self):
        return self.end - time.time()

    def run(self, arguments, limit):
        """A command's last line as JSON; None when it failed, which the table shows."""
        limit = max(5, min(limit, self.left()))
        start = time.time()
        try:
            done = subprocess.run(arguments, capture_output=True, text=True, timeout=limit)
        except subprocess.TimeoutExpired:
            self.skipped.append(f"{' '.join(arguments[-8:])}: over {limit:.0f} s")
            return None
        self.raw.append({"command": arguments, "seconds": round(time.time() - start, 1), "exit": done.returncode})
        print(f"  [{time.time() - start:5.1f} s, exit {done.returncode}] {' '.join(arguments[len(self.mm):])[:150]}", flush=True)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        if done.returncode != 0 or not lines:
            print("    " + "\n    ".join((done.stderr or done.stdout).splitlines()[-12:]), flush=True)
        return json.loads(lines[-1]) if lines else None

    def ours(self, *arguments, limit=60):
        return self.run([*self.mm, *arguments, "--json"], limit)

    def figure(self, key, ours, floor=None):
        entry = self.figures.setdefault(key, {"ours": None, "floor": None, "peer": None})
        entry["ours"], entry["floor"] = ours, floor

    def floor(self, batch, weights=WEIGHT_BYTES):
        rate = (self.copy or 2.97) * 1e12
        return batch * rate / (weights + batch * (PROMPT + NEW / 2) * KV_BYTES)

    def llm(self, shape, batch, prompt, new, *more, repeat=3):
        return self.ours("bench", "llm", "--model", os.path.join(SHAPES, shape), "--load-format", "dummy", "--device", "cuda",
                         "--batch", str(batch), "--prompt", str(prompt), "--new", str(new), "--repeat", str(repeat), *more)

    # Sections, in order.

    def device(self):
        self.peers("device")

    def correctness(self):
        for dtype in ("f32", "bf16"):
            answer = self.ours("verify", self.options.goldens, "--device", "cuda", "--dtype", dtype, limit=150)
            for case in (answer or {}).get("cases", []):
                self.verify[f"{case.get('name')}.{dtype}"] = case.get("error", case.get("max_error", case.get("status")))

    def decode(self):
        for batch in (1, 8, 32, 64):
            answer = self.llm("llama-7b", batch, PROMPT, NEW)
            self.figure(f"decode.b{batch}.tok_s", answer and answer["decode_runs"], self.floor(batch))

    def prefill(self):
        for batch in (1, 8):
            answer = self.llm("llama-7b", batch, 1024, 4)
            self.figure(f"prefill.{batch}x1024.tok_s", answer and answer["prefill_runs"])
        uniform = answer and answer["prefill_tok_s"]  # what the next ones are shares of
        for name, more in (("ragged", ["--ragged"]), ("chunked", ["--max-num-batched-tokens", "2048"]), ("continued", ["--cached", "512"])):
            answer = self.llm("llama-7b", 8, 1024, 4, *more)
            self.figure(f"prefill.{name}.tok_s", answer and answer["prefill_runs"], uniform)

    def variants(self):
        for dtype, batch in (("q8_0", 1), ("q8_0", 8), ("q8_0", 32), ("fp8", 1), ("fp8", 8), ("fp8", 32)):
            answer = self.llm("llama-7b", batch, PROMPT, NEW, "--dtype", dtype)
            self.figure(f"decode.{dtype}.b{batch}.tok_s", answer and answer["decode_runs"], self.floor(batch, WEIGHT_BYTES * FORMAT_SHARE[dtype]))
        answer = self.llm("llama-7b", 8, PROMPT, NEW, "--deterministic")
        self.figure("decode.deterministic.b8.tok_s", answer and answer["decode_runs"], self.floor(8))

    def clip(self):
        for batch in (1, 16):
            answer = self.ours("bench", "encoder", "--model", os.path.join(SHAPES, "clip-l-336"), "--load-format", "dummy", "--device", "cuda",
                               "--batch", str(batch))
            self.figure(f"clip.b{batch}.img_s", answer and answer["runs"])

    def llava(self):
        shape = os.path.join(SHAPES, "llava-1.5-7b")
        load = ["--load-format", "dummy", "--device", "cuda", "--max-model-len", "2048", "--max-num-batched-tokens", "4096"]
        answer = self.ours("bench", "engine", shape, *load, "--images", "1", "--random-input-len", "16", "--random-output-len", "128",
                           "--num-prompts", "64", "--max-concurrency", "32", "--repeat", "2", limit=90)
        self.figure("llava.engine.tok_s", answer and answer["runs"])
        self.gateway(shape, load)

    def gateway(self, shape, load):
        server = subprocess.Popen([*self.mm, "serve", shape, *load, "--max-num-seqs", "32", "--port", "0", "--json"], stdout=subprocess.PIPE, text=True)
        try:
            line = server.stdout.readline()
            if not line:
                self.figure("llava.gateway.tok_s", None)
                return
            url = json.loads(line)["base_url"]
            rates = []
            for seed in range(3):
                answer = self.ours("bench", "serve", "--base-url", url, "--num-prompts", "64", "--max-concurrency", "32", "--images", "1",
                                   "--random-input-len", "16", "--random-output-len", "128", "--ignore-eos", "--seed", str(100 + seed), limit=60)
                if answer and seed > 0:
                    rates.append(answer["output_throughput"])
            self.figure("llava.gateway.tok_s", rates or None)
        finally:
            server.terminate()
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                server.kill()

    def load(self):
        """A checkpoint of the 7B shape, written here and so in the page cache, loaded by fresh processes with a warm kernel cache."""
        with tempfile.TemporaryDirectory(dir=self.options.scratch) as folder:
            started = time.time()
            write_checkpoint(os.path.join(SHAPES, "llama-7b"), folder)
            print(f"  wrote the checkpoint in {time.time() - started:.1f} s", flush=True)
            rates, firsts = [], []
            for _ in range(2):
                answer = self.ours("bench", "llm", "--model", folder, "--device", "cuda", "--prompt", "16", "--new", "4", "--repeat", "1", limit=60)
                if answer:
                    rates.append(answer["weight_bytes"] / answer["load_s"] / 1e9)
                    firsts.append(answer["first_token_s"])
            self.figure("load.GBps", rates or None)
            self.figure("ttft.s", firsts or None)

    def pipeline(self):
        one = self.figures.get("decode.b64.tok_s", {}).get("ours")
        for shards in (2, 4):
            if not one or self.options.gpus < shards:
                self.figure(f"pp{shards}.ratio", None)
                continue
            answer = self.llm("llama-7b", 64 * shards, PROMPT, NEW, "--pipeline-parallel-size", str(shards))
            self.figure(f"pp{shards}.ratio", answer and [rate / statistics.median(one) for rate in answer["decode_runs"]])

    def tensor(self):
        for ranks in (2, 4):
            for batch in (1, 32):
                answer = self.options.gpus >= ranks and self.llm("llama-7b", batch, PROMPT, NEW, "--tensor-parallel-size", str(ranks))
                self.figure(f"tp{ranks}.b{batch}.tok_s", answer["decode_runs"] if answer else None)

    def baselines(self):
        self.peers("clip", "prefill", "decode", "compiled")

    def peers(self, *sections):
        """PyTorch's figures, taken as they come, so that what ran out of time keeps what it had."""
        script = os.path.join(HERE, "peers", "torch", "baselines.py")
        process = subprocess.Popen([sys.executable, script, *sections], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        timer = threading.Timer(max(5, self.left()), process.kill)
        timer.start()
        start = time.time()
        for line in process.stdout:
            if line.startswith("{"):
                self.peer(json.loads(line))
        timer.cancel()
        if process.wait() != 0:
            self.skipped.append(f"peers {' '.join(sections)}: ended with {process.returncode}: {process.stderr.read()[-300:]}")
        print(f"  [{time.time() - start:5.1f} s] peers {' '.join(sections)}", flush=True)

    def peer(self, line):
        key, values = line["key"], line.get("values")
        if values is None:
            self.skipped.append(f"peer {key}: {line['error']}")
        elif key == "copy_TBps":
            self.copy = max(values)
        elif key == "gemm_TFLOPs":
            self.gemm = max(values)
        else:
            self.figures.setdefault(key, {"ours": None, "floor": None, "peer": None})["peer"] = values

    # What is left of it.

    def table(self):
        print(f"\n{'figure':<26}{'ours':>12}{'floor':>12}{'share':>8}{'peer':>12}{'ratio':>8}")
        for key, entry in self.figures.items():
            ours, peer = (statistics.median(values) if values else None for values in (entry["ours"], entry["peer"]))
            floor = entry["floor"]
            share = f"{ours / floor:.1%}" if ours and floor else ""
            ratio = f"{ours / peer:.2f}" if ours and peer else ""
            print(f"{key:<26}{number(ours):>12}{number(floor):>12}{share:>8}{number(peer):>12}{ratio:>8}")
        print(f"copy {self.copy} TB/s, gemm {self.gemm} TFLOP/s")
        for case, error in self.verify.items():
            print(f"verify {case}: {error}")
        for what in self.skipped:
            print(f"not measured: {what}")

    def write(self, path):
        name, driver = gpu()
        with open(path, "w") as file:
            json.dump({
                "schema": 1, "commit": self.options.commit, "device": name, "driver": driver, "copy_TBps": self.copy, "gemm_TFLOPs": self.gemm,
                "verify": self.verify, "figures": self.figures,
            }, file, indent=1)
        print(f"wrote {path}")


def number(value):
    return "-" if value is None else f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


def gpu():
    try:
        text = subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"], capture_output=True, text=True).stdout
    except OSError:
        text = ""
    return [part.strip() for part in (text.splitlines() or ["unknown, unknown"])[0].split(",")]


def write_checkpoint(shape, folder):
    """config.json and model.safetensors of the shape, random bf16."""
    import torch
    config = json.load(open(os.path.join(shape, "config.json")))
    json.dump(config, open(os.path.join(folder, "config.json"), "w"))
    hidden, inner, vocabulary = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    tensors = [("model.embed_tokens.weight", (vocabulary, hidden)), ("lm_head.weight", (vocabulary, hidden)), ("model.norm.weight", (hidden,))]
    for i in range(config["num_hidden_layers"]):
        at = f"model.layers.{i}."
        tensors += [(at + f"self_attn.{name}_proj.weight", (hidden, hidden)) for name in "qkvo"]
        tensors += [(at + f"mlp.{name}_proj.weight", (inner, hidden)) for name in ("gate", "up")]
        tensors += [(at + "mlp.down_proj.weight", (hidden, inner)), (at + "input_layernorm.weight", (hidden,)), (at + "post_attention_layernorm.weight", (hidden,))]
    header, offset = {}, 0
    for name, dims in tensors:
        size = 2
        for length in dims:
            size *= length
        header[name] = {"dtype": "BF16", "shape": list(dims), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(folder, "model.safetensors"), "wb", buffering=0) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, dims in tensors:
            values = torch.ones(dims, dtype=torch.bfloat16) if len(dims) == 1 else \
                (torch.randn(dims, device="cuda", dtype=torch.float32) / dims[-1] ** 0.5).to(torch.bfloat16).cpu()
            file.write(values.view(torch.uint8).numpy().data)


SECTIONS = ["device", "correctness", "decode", "prefill", "clip", "llava", "load", "pipeline", "tensor", "baselines"]
MORE = ["variants"]  # not among the figures wanted: only where asked for


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mm", default=os.path.join(HERE, "..", "mm"), help="the mm command")
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"sections of {','.join(SECTIONS + MORE)}")
    parser.add_argument("--budget", type=float, default=480, help="seconds in all")
    parser.add_argument("--goldens", default=os.path.join(HERE, "..", "tests", "goldens"), help="folder of reference cases for mm verify")
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("--scratch", default="/dev/shm" if os.path.isdir("/dev/shm") else None, help="where the checkpoint is written")
    parser.add_argument("--out", help="the file to write; default: bench/results/gpu-COMMIT.json")
    options = parser.parse_args()
    bench = Bench(options)
    for section in options.only.split(","):
        if section not in SECTIONS + MORE:
            parser.error(f"no section '{section}'; known: {', '.join(SECTIONS + MORE)}")
        if bench.left() < 15:
            bench.skipped.append(section)
            continue
        print(f"{section} ({bench.left():.0f} s left)", flush=True)
        try:
            getattr(bench, section)()
        except Exception as error:  # the other sections still count
            bench.skipped.append(f"{section}: {error!r}")
    bench.table()
    bench.write(options.out or os.path.join(HERE, "results", f"gpu-{options.commit}.json"))
    sys.exit(0 if not bench.skipped else 1)


if __name__ == "__main__":
    main()
