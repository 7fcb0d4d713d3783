"""Evaluates models/mini with transformers: BF16 weights run in F32, greedy, pictures through the processor (PIL).

Writes the answers and a table with Wilson's 95% intervals; --items writes one JSON line an item.
"""
import argparse
import json
import math
import multiprocessing
import pathlib
import time

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer, LlavaForConditionalGeneration

from compose import compose, load_sprites, premultiplied
from evalset import EvalSet, normalize
from scenes import ROOT, World

SHARED = {}


def wilson(correct, n):
    """95% interval of a share."""
    z, p = 1.959964, correct / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def pixel_values(index):
    world, sprites, items, processor = SHARED["eval"]
    picture = Image.fromarray(compose(world, sprites, items[index].scene))
    return processor(picture, return_tensors="np")["pixel_values"][0]


def load(folder, device):
    model, info = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    problems = {k: sorted(v) for k, v in info.items() if v and k in ("missing_keys", "unexpected_keys",
                                                                     "mismatched_keys")}
    if problems:
        raise SystemExit(f"the checkpoint does not fit: {problems}")
    return model.eval().to(device)


@torch.no_grad()
def generate(model, tokenizer, questions, pixels, device, size=200, limit=60):
    """Greedy answers; pixels [n,3,side,side] float32."""
    found = []
    image = model.config.image_seq_length
    for at in range(0, len(questions), size):
        texts = [f"USER: {'<image>' * image}\n{q} ASSISTANT:" for q in questions[at:at + size]]
        tokens = tokenizer(texts, return_tensors="pt", padding=True, padding_side="left").to(device)
        out = model.generate(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"],
                             pixel_values=torch.from_numpy(pixels[at:at + size]).to(device), do_sample=False,
                             max_new_tokens=limit)
        new = out[:, tokens["input_ids"].shape[1]:]
        found += [t.strip() for t in tokenizer.batch_decode(new, skip_special_tokens=True)]
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models/mini")
    parser.add_argument("--items", type=pathlib.Path)
    parser.add_argument("--report", type=pathlib.Path)
    parser.add_argument("--most", type=int, default=10 ** 9, help="items a task")
    parser.add_argument("--pixels", type=pathlib.Path, help="keep the pictures' pixel_values in this .npy, or take them")
    parser.add_argument("--draw", action="store_true", help="only draw the pictures")
    parser.add_argument("--workers", type=int, default=14)
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    began = time.time()
    world = World(args.model / "eval")
    items = [it for it in EvalSet(world).items() if it.index < args.most]
    processor = AutoImageProcessor.from_pretrained(args.model, backend="pil")
    SHARED["eval"] = (world, premultiplied(load_sprites(world)), items, processor)
    if args.pixels and args.pixels.exists():
        pixels = np.load(args.pixels)
    else:
        with multiprocessing.get_context("fork").Pool(args.workers) as pool:
            pixels = np.stack(pool.map(pixel_values, range(len(items)), chunksize=16))
        if args.pixels:
            np.save(str(args.pixels) + ".part.npy", pixels)
            pathlib.Path(str(args.pixels) + ".part.npy").replace(args.pixels)
    print(f"{type(processor).__name__}: {len(items)} pictures, {time.time() - began:.1f} s", flush=True)
    if args.draw:
        return
    model = load(args.model, device)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    found = generate(model, tokenizer, [it.question for it in items], pixels, device)
    table = {}
    for item, answer in zip(items, found):
        row = table.setdefault(item.column, {}).setdefault(item.task, [0, 0])
        row[0] += normalize(answer) == normalize(item.answer)
        row[1] += 1
    report = {"schema": 1, "model": "models/mini", "seed": world.spec["seed"]}
    for column, tasks in table.items():
        report[column] = {}
        for task, (correct, n) in tasks.items():
            low, high = wilson(correct, n)
            report[column][task] = {"n": n, "correct": correct, "accuracy": round(correct / n, 4),
                                    "low": round(low, 4), "high": round(high, 4)}
            print(f"{column:17} {task:11} {correct:4}/{n:4}  {100 * correct / n:6.2f}%  "
                  f"[{100 * low:.1f}, {100 * high:.1f}]", flush=True)
    print(f"{time.time() - began:.1f} s")
    if args.report:
        args.report.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if args.items:
        with open(args.items, "w", encoding="utf-8") as file:
            for it, answer in zip(items, found):
                file.write(json.dumps({
                    "column": it.column, "task": it.task, "index": it.index, "question": it.question,
                    "expected": it.answer, "answer": answer, "correct": normalize(answer) == normalize(it.answer),
                    "objects": [world.kinds[t.kind]["name"] for t in it.scene.things]}) + "\n")


if __name__ == "__main__":
    main()
