"""Compares models/mini in transformers with what training used: weights' names, tokens, template, pixels, logits."""
import argparse
import json
import pathlib
import struct
import tempfile

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer

import data
from compose import compose, load_sprites, premultiplied
from evalset import EvalSet
from evaluate import load
from model import CONFIG, Mini
from scenes import ROOT, FastRandom, World
from talk import nonsense, text_only
from tokenizer import Tokenizer


def names_in(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        return {k: v["shape"] for k, v in json.loads(file.read(size)).items() if k != "__metadata__"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("state", type=pathlib.Path)
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models/mini")
    args = parser.parse_args()
    world = World(args.model / "eval")
    ours, theirs = Tokenizer(args.model / "tokenizer.json"), AutoTokenizer.from_pretrained(args.model)
    rng, talk = FastRandom(11), data.Talk(world)
    texts = ["", " ", "USER: <image>\nWhat is this? ASSISTANT:", "naïve café 東京 \U0001F98A\n\n  x\t1,234.5%", "a_b __c"]
    for _ in range(300):
        scene = data.draw_scene(world, rng)
        question, answer = talk.short(rng, scene)
        texts += [f"USER: <image>\n{data.vary(rng, question)} ASSISTANT: {answer}</s>", nonsense(rng)]
        texts.append("USER: %s ASSISTANT: %s</s>" % text_only(rng, talk.asker, lambda: question))
    wrong = [t for t in texts if theirs(t)["input_ids"] != [1] + ours.encode(t)]
    print("tokens:", type(theirs).__name__, len(texts), "texts,", len(wrong), "differ", wrong[:3])
    plain = [t for t in texts if "<" not in t]
    print("decoded:", sum(theirs.decode(theirs(t)["input_ids"], skip_special_tokens=True) != t for t in plain), "differ")
    talk_in = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is this?"}]},
               {"role": "assistant", "content": [{"type": "text", "text": "This is a dog."}]},
               {"role": "user", "content": "Where is it?"}]
    print("template:", repr(theirs.apply_chat_template(talk_in, tokenize=False, add_generation_prompt=True)))

    items = [it for it in EvalSet(world).items() if it.index < 2]
    sprites = premultiplied(load_sprites(world))
    pictures = [Image.fromarray(compose(world, sprites, it.scene)) for it in items]
    processor = AutoImageProcessor.from_pretrained(args.model, backend="pil")
    pixels = processor(pictures, return_tensors="np")["pixel_values"]
    side = CONFIG["image"]
    mine = np.stack([np.asarray(p.resize((side, side), Image.BICUBIC)) for p in pictures])

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    model = Mini(CONFIG, len(world.kinds))
    state = torch.load(args.state, map_location="cpu", weights_only=False)["model"]
    model.load_state_dict(state)
    for p in model.parameters():
        p.data = p.data.bfloat16().float()
    model.to(device)
    hugging = load(args.model, device)
    normal = ((torch.from_numpy(mine).to(device).permute(0, 3, 1, 2).float() - model.mean) / model.std).cpu().numpy()
    print("pixels:", type(processor).__name__, "largest difference", np.abs(normal - pixels).max())
    with torch.no_grad():
        worst = 0.0
        for i, item in enumerate(items):
            text = f"\n{item.question} ASSISTANT: {item.answer}"
            ids = torch.tensor([ours.encode(text)], device=device)
            prefix = torch.tensor(data.Packer(ours).prefix, device=device)
            pictures_in = torch.from_numpy(mine[i:i + 1]).to(device).permute(0, 3, 1, 2)
            image = model.project(model.see(pictures_in))
            x = torch.cat([model.embed(prefix)[None], image, model.embed(ids)], 1)
            n = x.shape[1]
            mask = torch.ones(n, n, dtype=torch.bool, device=device).tril()
            logits = model.head(model.speak(x, torch.arange(n, device=device), mask))
            full = theirs("USER: " + "<image>" * image.shape[1] + text, return_tensors="pt").to(device)
            other = hugging(input_ids=full["input_ids"], attention_mask=full["attention_mask"],
                            pixel_values=torch.from_numpy(pixels[i:i + 1]).to(device)).logits
            worst = max(worst, float((logits - other).norm() / other.norm()))
        print("logits: largest relative error", worst)
    with tempfile.TemporaryDirectory() as folder:
        hugging.save_pretrained(folder)
        a, b = names_in(pathlib.Path(folder) / "model.safetensors"), names_in(args.model / "model.safetensors")
        print("names:", len(b), "only theirs", sorted(set(a) - set(b))[:4], "only ours", sorted(set(b) - set(a))[:4],
              "shapes differ", [k for k in a if k in b and a[k] != b[k]][:4])


if __name__ == "__main__":
    main()
