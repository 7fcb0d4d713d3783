"""Writes tests/goldens/mini/items.json: the evaluation's first items with scenes and picture sums, and all words' digest."""
import hashlib
import json

from compose import compose, load_sprites, premultiplied
from evalset import EvalSet
from scenes import ROOT, World

FIRST = 6  # items a task

if __name__ == "__main__":
    world = World()
    sprites, digest, rows = premultiplied(load_sprites(world)), hashlib.sha256(), []
    count = 0
    for it in EvalSet(world).items():
        digest.update(f"{it.column}/{it.task}/{it.index}|{it.question}|{it.answer}\n".encode())
        count += 1
        if it.index < FIRST:
            s, pixels = it.scene, compose(world, sprites, it.scene)
            rows.append({
                "column": it.column, "task": it.task, "index": it.index, "question": it.question, "answer": it.answer,
                "objects": [[world.kinds[t.kind]["name"], t.x, t.y, t.size, t.angle, t.flip] for t in s.things],
                "colour": s.colour, "first": s.first, "second": s.second,
                "texture": world.spec["textures"][s.texture], "period": s.period,
                "channel_sums": pixels.reshape(-1, 3).sum(0).tolist(),
                "pixel_sha256": hashlib.sha256(pixels.tobytes()).hexdigest()})
    path = ROOT / "tests/goldens/mini/items.json"
    lines = ",\n".join(json.dumps(r) for r in rows)
    path.write_text(f'{{"schema": 1, "items": {count}, "words_sha256": "{digest.hexdigest()}", "first": [\n{lines}\n]}}\n',
                    encoding="utf-8")
    print(count, path.stat().st_size, "bytes")
