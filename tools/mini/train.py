"""Trains the mini model on one GPU. See README.md; build.sh runs it with the options that made the shipped weights.

Workers draw scenes and text on the CPU, the GPU draws the pictures (a share comes from PIL instead), and each picture
answers several questions in one pass. The state is saved every minute and taken up again from --out.
"""
import argparse
import json
import math
import multiprocessing
import pathlib
import queue as queues
import threading
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import data
from compose import compose, load_sprites, premultiplied
from evalset import EvalSet, normalize
from model import CONFIG, Mini, from_hugging_face, packed_layout, read_safetensors
from render import Renderer
from scenes import ROOT, World
from tokenizer import EOS, Tokenizer


class Muon:
    """Momentum with orthogonalized updates for matrices (Newton-Schulz, 5 steps), scaled to AdamW's usual step."""

    def __init__(self, matrices, momentum=0.95, decay=0.02):
        self.momentum, self.decay, self.groups = momentum, decay, {}
        for p, parts in matrices:
            rows = p.shape[0] // parts
            for i in range(parts):
                self.groups.setdefault((rows, p.shape[1]), []).append((p, i * rows, rows))
        self.buffers = {}

    @torch.no_grad()
    def step(self, lr):
        for shape, members in self.groups.items():
            grads = torch.stack([p.grad[a:a + n] for p, a, n in members])
            buffer = self.buffers.get(shape)
            if buffer is None:
                buffer = self.buffers[shape] = torch.zeros_like(grads)
            buffer.lerp_(grads, 1 - self.momentum)
            update = self.orthogonalize(grads.lerp(buffer, self.momentum)) * (0.2 * math.sqrt(max(shape)))
            weights = [p.data[a:a + n] for p, a, n in members]
            torch._foreach_mul_(weights, 1 - lr * self.decay)
            torch._foreach_add_(weights, list(update.float().unbind(0)), alpha=-lr)

    @staticmethod
    def orthogonalize(g):
        x = g.bfloat16() if g.is_cuda else g
        tall = x.shape[1] > x.shape[2]
        x = x.transpose(1, 2) if tall else x
        x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
        for _ in range(5):
            a = x @ x.transpose(1, 2)
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
        return x.transpose(1, 2) if tall else x


def optimizers(model):
    matrices, others = [], []
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        if p.ndim == 2 and not name.startswith(("embed", "head", "place", "patch", "spot")):
            matrices.append((p, 3 if "qkv" in name else 2 if "gate_up" in name else 1))
        else:
            others.append(p)
    on_gpu = next(model.parameters()).is_cuda
    return Muon(matrices), torch.optim.AdamW(others, lr=1e-3, betas=(0.9, 0.97), weight_decay=0.0,
                                             **({"fused": True} if on_gpu else {}))


class Feed:
    """Batches in the order of their steps, prepared by worker processes, made ready by a thread."""

    def __init__(self, args, first, device):
        context = multiprocessing.get_context("fork")
        self.queues = [context.Queue(3) for _ in range(args.workers)]
        self.device = device
        self.processes = [
            context.Process(target=data.worker, daemon=True, args=(
                q, args.seed, first + i, args.workers, args.model, args.free, args.batch, args.shorts, args.photos,
                args.texts, CONFIG["image"])) for i, q in enumerate(self.queues)]
        self.ready = queues.Queue(4)

    def start(self):
        for p in self.processes:
            p.start()

    def open(self):
        threading.Thread(target=self.pump, daemon=True).start()

    def pump(self):
        turn = 0
        while True:
            _, arrays = self.queues[turn % len(self.queues)].get()
            tensors = [torch.from_numpy(a) for a in arrays]
            self.ready.put([t.pin_memory() for t in tensors] if self.device != "cpu" else tensors)
            turn += 1

    def next(self):
        return [t.to(self.device, non_blocking=True) for t in self.ready.get()]


SHARED = {}


def wall(exact):
    """The clock, after the GPU's work if exact."""
    if exact:
        torch.cuda.synchronize()
    return time.time()


def draw_item(index):
    """One evaluation item's picture as the processor would resize it (in a pool; the world is inherited)."""
    from PIL import Image
    world, sprites, items = SHARED["eval"]
    picture = Image.fromarray(compose(world, sprites, items[index].scene))
    return np.asarray(picture.resize((CONFIG["image"], CONFIG["image"]), Image.BICUBIC))


@torch.no_grad()
def answers(model, tokenizer, items, pictures, device, size=256, limit=48):
    """Greedy answers to the items."""
    prefix, found = data.Packer(tokenizer).prefix, []
    for at in range(0, len(items), size):
        part = items[at:at + size]
        n = len(part)
        pixels = torch.from_numpy(pictures[at:at + n]).to(device).permute(0, 3, 1, 2)
        image = model.project(model.see(pixels)).float()
        head = [tokenizer.encode(f"\n{it.question} ASSISTANT:") for it in part]
        ids = torch.zeros(n, max(map(len, head)) + limit, dtype=torch.long)
        for i, h in enumerate(head):
            ids[i, :len(h)] = torch.tensor(h)
        ids = ids.to(device)
        ends = torch.tensor([len(h) for h in head], device=device)
        first, rows, done = ends.clone(), torch.arange(n, device=device), torch.zeros(n, dtype=torch.bool, device=device)
        start = torch.tensor(prefix, device=device)
        base = len(prefix) + image.shape[1]
        for _ in range(limit - 1):
            length = int(ends.max())
            x = torch.cat([model.embed(start).expand(n, -1, -1), image, model.embed(ids[:, :length])], 1)
            t = x.shape[1]
            mask = torch.ones(t, t, dtype=torch.bool, device=device).tril()
            h = model.speak(x, torch.arange(t, device=device), mask)
            token = model.head(h[rows, base + ends - 1]).argmax(-1)
            ids[rows, ends] = torch.where(done, ids[rows, ends], token)
            done |= token == EOS
            ends += (~done).long()
            if bool(done.all()):
                break
        for i in range(n):
            found.append(tokenizer.decode(ids[i, int(first[i]):int(ends[i])].tolist()).strip())
    return found


def score(items, found):
    table = {}
    for item, answer in zip(items, found):
        row = table.setdefault(f"{item.column}/{item.task}", [0, 0])
        row[0] += normalize(answer) == normalize(item.answer)
        row[1] += 1
    return {k: round(100 * a / b, 2) for k, (a, b) in table.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models/mini")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--seconds", type=float, default=1200, help="the schedule ends here if the steps do not")
    parser.add_argument("--stop", type=int, default=0, help="end after this many steps of the schedule (a trial)")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--shorts", type=int, default=4, help="short questions a picture")
    parser.add_argument("--free", type=int, default=0, help="percent of questions in phrases.py's words")
    parser.add_argument("--language", action="store_true", help="train the projector and the language model alone")
    parser.add_argument("--warmup", type=int, default=150)
    parser.add_argument("--photos", type=int, default=64, help="pictures of a batch that PIL draws")
    parser.add_argument("--texts", type=int, default=32)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=14)
    parser.add_argument("--items", type=int, default=200, help="items a task in these evaluations")
    parser.add_argument("--every", type=int, default=1000, help="steps between evaluations")
    parser.add_argument("--init", type=pathlib.Path, help="a model.safetensors to begin with")
    parser.add_argument("--eager", action="store_true", help="without torch.compile")
    parser.add_argument("--cpu", action="store_true", help="for trials of the code alone")
    args = parser.parse_args()
    began = time.time()
    args.out.mkdir(parents=True, exist_ok=True)
    log_file = open(args.out / "train.log", "a", encoding="utf-8")

    def log(**fields):
        line = json.dumps(fields)
        print(line, flush=True)
        log_file.write(line + "\n")
        log_file.flush()

    device = "cpu" if args.cpu else "cuda"
    saved = args.out / "state.pt"
    state = torch.load(saved, map_location="cpu", weights_only=False) if saved.exists() else None
    step, spent = (state["step"], state["spent"]) if state else (0, 0.0)
    world = World(args.model / "eval")
    tokenizer = Tokenizer(args.model / "tokenizer.json")
    sprites = premultiplied(load_sprites(world))
    feed = Feed(args, step, device)
    feed.start()
    items = [it for it in EvalSet(world, seed=1234).items() if it.index < args.items]
    SHARED["eval"] = (world, sprites, items)
    pool = multiprocessing.get_context("fork").Pool(4)
    drawing = pool.map_async(draw_item, range(len(items)), chunksize=16)  # collected when they are first needed
    feed.open()

    torch.manual_seed(args.seed + step)
    torch.backends.cuda.matmul.allow_tf32 = True
    model = Mini(CONFIG, len(world.kinds)).to(device)
    if state:
        model.load_state_dict(state["model"])
    elif args.init:
        from_hugging_face(model, read_safetensors(args.init))
    if args.language:
        for name, p in model.named_parameters():
            p.requires_grad_(not name.startswith(("patch", "cls", "place", "pre.", "tower", "spot")))
    began_at = step
    muon, adam = optimizers(model)
    if state:
        muon.buffers = {k: v.to(device) for k, v in state["muon"].items()}
        adam.load_state_dict(state["adam"])
    renderer = Renderer(sprites, world.spec["textures"], world.spec["canvas"], CONFIG["image"],
                        world.spec["canvas"] // (CONFIG["image"] // CONFIG["patch"]), device)
    prefix = torch.tensor(data.Packer(tokenizer).prefix, device=device)
    base = len(prefix) + (CONFIG["image"] // CONFIG["patch"]) ** 2
    positions, mask = packed_layout(base, data.LONG, data.SHORT, args.shorts, device)
    text_positions = torch.arange(data.TEXT, device=device)
    text_mask = torch.ones(data.TEXT, data.TEXT, dtype=torch.bool, device=device).tril()
    weights = torch.ones(len(world.kinds) + 1, device=device)
    weights[-1] = 0.2

    def losses(pixels, seen, ids, labels, text_ids, text_labels):
        with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
            spot, logits = model(pixels, prefix, ids, positions, mask)
            text = model.forward_text(text_ids, text_positions, text_mask)
        speak = F.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=data.IGNORE)
        talk = F.cross_entropy(text.float().flatten(0, 1), text_labels.flatten(), ignore_index=data.IGNORE)
        if args.language:
            return speak, talk, torch.zeros_like(speak)
        spots = F.cross_entropy(spot.float().flatten(0, 1), seen.flatten(), weight=weights)
        return speak, talk, spots

    run = torch.compile(losses, dynamic=False) if device == "cuda" and not args.eager else losses
    compiled = [torch.compile(renderer.draw, dynamic=False)] if device == "cuda" and not args.eager else []

    @torch.no_grad()
    def draw(kinds, things, ground):
        """Compiled and in one piece, or else in parts that fit."""
        if compiled:
            try:
                return compiled[0](kinds, things, ground)
            except Exception as problem:  # the compiler's own failure: the plain way gives the same
                log(event="draws without the compiler", problem=repr(problem)[:300])
                compiled.clear()
        parts = [renderer.draw(kinds[a:a + 256], things[a:a + 256], ground[a:a + 256]) for a in range(0, len(kinds), 256)]
        return torch.cat([p for p, _ in parts]), torch.cat([s for _, s in parts])

    log(event="start", step=step, parameters=sum(p.numel() for p in model.parameters()), kinds=len(world.kinds),
        seconds=round(time.time() - began, 1), torch=torch.__version__)
    clock, mark, waited, tally = time.time(), time.time(), 0.0, torch.zeros(3, device=device)
    offset, last_save = spent, time.time()

    def save():
        torch.save({"model": model.state_dict(), "muon": muon.buffers, "adam": adam.state_dict(), "step": step,
                    "spent": spent}, str(saved) + ".part")
        pathlib.Path(str(saved) + ".part").replace(saved)

    while True:
        spent = offset + time.time() - clock
        progress = max(step / args.steps, spent / args.seconds)
        if progress >= 1 or (args.stop and step >= args.stop):
            break
        lr = args.lr * min(1.0, (step - began_at + 1) / args.warmup) * max(0.004, 0.5 * (1 + math.cos(math.pi * progress)))
        waits = time.time()
        kinds, things, ground, photos, ids, labels, text_ids, text_labels = feed.next()
        waited += time.time() - waits
        timed = step == 30 and device == "cuda"
        marks = [wall(timed)]
        pixels, seen = draw(kinds, things, ground)
        pixels[:len(photos)] = photos.permute(0, 3, 1, 2).float()
        marks.append(wall(timed))
        speak, talk, spots = run(pixels, seen, ids.long(), labels.long(), text_ids.long(), text_labels.long())
        loss = speak + 0.05 * talk + (0.5 - 0.4 * progress) * spots
        loss.backward()
        marks.append(wall(timed))
        muon.step(lr)
        for group in adam.param_groups:
            group["lr"] = lr
        adam.step()
        model.zero_grad(set_to_none=True)
        marks.append(wall(timed))
        if timed:
            log(milliseconds=dict(zip(("draw", "forward and backward", "optimizers"),
                                      [round(1000 * (b - a), 1) for a, b in zip(marks, marks[1:])])),
                memory=round(torch.cuda.max_memory_allocated() / 2 ** 30, 1))
        tally += torch.stack([speak.detach(), talk.detach(), spots.detach()])
        step += 1
        if step % 50 == 0 or step <= 3:
            count = 50 if step % 50 == 0 else 1
            mean = (tally / count).tolist()
            tally.zero_()
            log(step=step, speak=round(mean[0], 4), talk=round(mean[1], 4), spots=round(mean[2], 4), lr=round(lr, 6),
                rate=round(count * args.batch / (time.time() - mark)), waited=round(waited, 2), spent=round(spent, 1))
            mark, waited = time.time(), 0.0
        if step % args.every == 0:
            with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
                log(step=step, eval=score(items, answers(model, tokenizer, items, np.stack(drawing.get()), device)))
            mark = time.time()
        if time.time() - last_save > 60:
            save()
            last_save = time.time()
    spent = offset + time.time() - clock
    save()
    found = answers(model, tokenizer, items, np.stack(drawing.get()), device)
    log(event="end", step=step, spent=round(spent, 1), eval=score(items, found), total=round(time.time() - began, 1))
    for item, answer in list(zip(items, found))[::max(1, len(items) // 24)]:
        log(question=item.question, expected=item.answer, answer=answer)
    (args.out / "done").write_text("done\n")


if __name__ == "__main__":
    main()
