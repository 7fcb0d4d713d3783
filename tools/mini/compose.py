"""Draws scenes: exactly as EVAL.md says (compose), and with PIL's own filters, canvases and JPEG (pil_picture)."""
import io
import math

import numpy as np
from PIL import Image


def load_sprites(world):
    """The shipped sprites as RGBA pictures."""
    return [Image.open(world.folder / k["file"]).convert("RGBA") for k in world.kinds]


def premultiplied(sprites):
    """Sprites as float [n, 96, 96, 4] in 0..255 with colour times alpha; alpha in 0..1."""
    pixels = np.stack([np.asarray(s, np.float64) for s in sprites])
    alpha = pixels[..., 3:] / 255.0
    return np.concatenate([pixels[..., :3] * alpha, alpha], -1)


def ground(scene, side, textures):
    """The background as float [side, side, 3]."""
    y, x = np.mgrid[0:side, 0:side]
    first, second, p = np.array(scene.first, np.float64), np.array(scene.second, np.float64), scene.period
    name = textures[scene.texture]
    if name == "gradient":
        return first + np.trunc((second - first) * y[..., None] / (side - 1))
    odd = {
        "plain": lambda: np.zeros_like(x, bool),
        "horizontal": lambda: y // p % 2 == 1,
        "vertical": lambda: x // p % 2 == 1,
        "diagonal": lambda: (x + y) // p % 2 == 1,
        "checks": lambda: (x // p + y // p) % 2 == 1,
        "dots": lambda: (2 * (x % p) - p) ** 2 + (2 * (y % p) - p) ** 2 < p * p * 9 // 25,
    }[name]()
    return np.where(odd[..., None], second, first)


def compose(world, sprites, scene):
    """The picture of a scene, uint8 [288, 288, 3]; sprites from premultiplied()."""
    side = world.spec["canvas"]
    canvas = ground(scene, side, world.spec["textures"])
    for t in scene.things:
        sprite = sprites[t.kind]
        n = sprite.shape[0]
        reach = int(t.size * 0.75) + 2
        x0, x1, y0, y1 = max(0, t.x - reach), min(side, t.x + reach), max(0, t.y - reach), min(side, t.y + reach)
        cos, sin = math.cos(math.radians(t.angle)), math.sin(math.radians(t.angle))
        total = np.zeros((y1 - y0, x1 - x0, 4))
        for sub_y in (0.25, 0.75):
            for sub_x in (0.25, 0.75):
                dy, dx = np.mgrid[y0:y1, x0:x1].astype(np.float64)
                dx, dy = dx + sub_x - t.x, dy + sub_y - t.y
                u, v = (cos * dx + sin * dy) / t.size, (cos * dy - sin * dx) / t.size
                u = -u if t.flip else u
                total += bilinear(sprite, (u + 0.5) * n - 0.5, (v + 0.5) * n - 0.5)
        total /= 4
        part = canvas[y0:y1, x0:x1]
        part *= 1 - total[..., 3:]
        part += total[..., :3]
    return np.floor(canvas + 0.5).clip(0, 255).astype(np.uint8)


def bilinear(sprite, u, v):
    """Samples a premultiplied sprite; outside it is transparent."""
    n = sprite.shape[0]
    x, y = np.floor(u).astype(int), np.floor(v).astype(int)
    fx, fy = u - x, v - y
    out = np.zeros((*u.shape, 4))
    for oy, wy in ((0, 1 - fy), (1, fy)):
        for ox, wx in ((0, 1 - fx), (1, fx)):
            inside = (x + ox >= 0) & (x + ox < n) & (y + oy >= 0) & (y + oy < n)
            texel = sprite[(y + oy).clip(0, n - 1), (x + ox).clip(0, n - 1)]
            out += texel * (wx * wy * inside)[..., None]
    return out


FILTERS = [Image.BILINEAR, Image.BICUBIC, Image.LANCZOS]


def pil_picture(world, sprites, scene, rng, side):
    """The scene on a canvas of some size by PIL's own filters, perhaps noisy or saved as JPEG, then resized as the
    processor does it (bicubic to `side`): uint8 [side, side, 3]."""
    canvas = 150 + rng.below(400)
    scale = canvas / world.spec["canvas"]
    wide = ground(scene, world.spec["canvas"], world.spec["textures"]).astype(np.uint8)
    picture = Image.fromarray(wide).resize((canvas, canvas), FILTERS[rng.below(3)])
    for t in scene.things:
        size = max(8, round(t.size * scale))
        sprite = sprites[t.kind].resize((size, size), FILTERS[rng.below(3)])
        if t.flip:
            sprite = sprite.transpose(Image.FLIP_LEFT_RIGHT)
        if t.angle:
            sprite = sprite.rotate(-t.angle, Image.BICUBIC, expand=True)
        at = (round(t.x * scale - sprite.width / 2), round(t.y * scale - sprite.height / 2))
        picture.paste(sprite, at, sprite)
    if rng.below(3) == 0:
        noise = np.random.default_rng(rng.below(1 << 30)).normal(0, 1 + rng.below(10), (canvas, canvas, 3))
        picture = Image.fromarray((np.asarray(picture) + noise).clip(0, 255).astype(np.uint8))
    if rng.below(2):
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=30 + rng.below(66))
        picture = Image.open(file).convert("RGB")
    return np.asarray(picture.resize((side, side), Image.BICUBIC))
