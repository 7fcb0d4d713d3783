"""Makes this folder's reference: 100 small pictures (50 PNG, 50 JPEG), prompts, and transformers' greedy answers in F32.

pictures/NNN.png|jpg   drawn by PIL from the shipped sprites, many of them not square
cases.json             file, turns (the picture belongs to the first), the prompt that they make (with one <image>, or
                       none), the new token ids up to </s>, their text, the smallest gap between a step's two best logits
reference.safetensors  pixels.NNN: the processor's picture after resize and crop, U8 [3, side, side] (pixel_values are
                       (U8 / 255 - mean) / std, checked here to 1e-6); logits.NNN: F32 of the first new token
Usage: python3 make.py [--model models/mini] [--out FOLDER], where PyTorch, transformers and Pillow are.
"""
import argparse
import json
import pathlib
import sys

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save_file
from transformers import AutoImageProcessor, AutoTokenizer

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
sys.path.insert(0, str(ROOT / "tools/mini"))
import data  # noqa: E402
from compose import load_sprites, pil_picture  # noqa: E402
from evaluate import load  # noqa: E402
from scenes import FastRandom, World  # noqa: E402
from talk import text_only  # noqa: E402


def picture(world, sprites, scene, rng, wide):
    """A small picture of the scene, with bars of its colour beside or above it if wide."""
    side = 96 + rng.below(90)
    image = Image.fromarray(pil_picture(world, sprites, scene, rng, side))
    if wide:
        size = (side + rng.below(60), side) if rng.below(2) else (side, side + rng.below(60))
        framed = Image.new("RGB", size, tuple(scene.first))
        framed.paste(image, ((size[0] - side) // 2, (size[1] - side) // 2))
        image = framed
    return image


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models/mini")
    parser.add_argument("--out", type=pathlib.Path, default=HERE)
    args = parser.parse_args()
    (args.out / "pictures").mkdir(parents=True, exist_ok=True)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    device = "cuda" if torch.cuda.is_available() else "cpu"
    world, rng = World(args.model / "eval"), FastRandom(77)
    sprites, talk = load_sprites(world), data.Talk(world, 40)
    processor = AutoImageProcessor.from_pretrained(args.model, backend="pil")
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    model = load(args.model, device)
    mean, std = np.array(processor.image_mean)[:, None, None], np.array(processor.image_std)[:, None, None]
    cases, tensors = [], {}

    def answer(prompt, pixels):
        text = prompt.replace("<image>", "<image>" * model.config.image_seq_length)
        tokens = tokenizer(text, return_tensors="pt").to(device)
        extra = {} if pixels is None else {"pixel_values": torch.from_numpy(pixels[None]).to(device)}
        with torch.no_grad():
            out = model.generate(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"], **extra,
                                 do_sample=False, max_new_tokens=80, output_logits=True, return_dict_in_generate=True)
        logits = torch.cat(out.logits).float().cpu()
        best = logits.topk(2).values
        ids = out.sequences[0, tokens["input_ids"].shape[1]:].tolist()
        return ids, float((best[:, 0] - best[:, 1]).min()), logits[0].numpy()

    for i in range(112):
        scene = data.draw_scene(world, rng)
        question, expected = talk.short(rng, scene)
        if i % 5 == 0:
            question, expected = talk.asker.describe(rng, scene)
        name, pixels = None, None
        if i < 100:
            kind = "png" if i < 50 else "jpg"
            name = f"pictures/{i:03}.{kind}"
            while True:
                drawn = picture(world, sprites, scene, rng, rng.below(3) == 0)
                if kind == "png" and i % 3 == 0:
                    drawn = drawn.quantize(64)
                drawn.save(args.out / name, **({"optimize": True} if kind == "png" else
                                               {"quality": 60 + rng.below(36), "progressive": i % 10 == 3}))
                if (args.out / name).stat().st_size < 14000:
                    break
            pixels = processor(Image.open(args.out / name), return_tensors="np")["pixel_values"][0].astype(np.float32)
            bytes_ = np.rint((pixels * std + mean) * 255).astype(np.uint8)
            if np.abs((bytes_ / 255.0 - mean) / std - pixels).max() > 1e-5:
                raise SystemExit("pixel_values are not (bytes / 255 - mean) / std")
            if i in (0, 1, 51):
                tensors[f"pixels.{i:03}"] = bytes_
            turns = [{"role": "user", "text": question}]
            prompt = f"USER: <image>\n{question} ASSISTANT:"
            if i % 10 == 9:
                again, answer_again = talk.short(rng, scene)
                turns += [{"role": "assistant", "text": expected}, {"role": "user", "text": again}]
                prompt = f"USER: <image>\n{question} ASSISTANT: {expected}</s>USER: {again} ASSISTANT:"
                expected = answer_again
        else:
            question, expected = text_only(rng, talk.asker, lambda: talk.about_picture(rng, scene))
            turns, prompt = [{"role": "user", "text": question}], f"USER: {question} ASSISTANT:"
        ids, gap, logits = answer(prompt, pixels)
        if i % 12 == 0:
            tensors[f"logits.{i:03}"] = logits
        cases.append({"file": name, "prompt": prompt, "ids": ids, "gap": round(gap, 5),
                      "answer": tokenizer.decode(ids, skip_special_tokens=True).strip(), "expected": expected,
                      "turns": turns})
    rows = ",\n".join(json.dumps(c) for c in cases)
    (args.out / "cases.json").write_text(f'{{"schema": 1, "cases": [\n{rows}\n]}}\n', encoding="utf-8")
    save_file(tensors, args.out / "reference.safetensors")
    right = sum(c["answer"] == c["expected"] for c in cases)
    print(f"{len(cases)} cases, {right} answered as expected, smallest gap {min(c['gap'] for c in cases)}")


if __name__ == "__main__":
    main()
