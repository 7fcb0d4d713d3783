"""Draws models/mini/demo/*.png from the shipped sprites, as EVAL.md's compose() does."""
from PIL import Image

from compose import compose, load_sprites, premultiplied
from scenes import Scene, Thing, World

SCENES = {  # name: objects (name, x, y, size, angle), background's colour, texture, period
    "park": ([("tree", 64, 92, 118, 0), ("dog", 218, 216, 104, 0), ("bicycle", 76, 222, 100, 0), ("sun", 228, 64, 92, 0)],
             "green", "gradient", 40),
    "harbour": ([("sailboat", 78, 148, 132, 0), ("dolphin", 218, 218, 104, -8), ("airplane", 218, 66, 104, 0)],
                "blue", "horizontal", 36),
    "table": ([("apple", 72, 74, 92, 0), ("apple", 212, 72, 84, 10), ("apple", 80, 216, 88, -8), ("teapot", 214, 212, 108, 0)],
              "yellow", "checks", 36),
}

if __name__ == "__main__":
    world = World()
    names = {k["name"]: i for i, k in enumerate(world.kinds)}
    sprites = premultiplied(load_sprites(world))
    folder = world.folder.parent / "demo"
    folder.mkdir(exist_ok=True)
    for name, (objects, colour, texture, period) in SCENES.items():
        low, high = world.spec["colours"][colour]
        first = [(a + b) // 2 for a, b in zip(low, high)]
        scene = Scene([Thing(names[n], *rest) for n, *rest in objects], colour, first, [v * 88 // 100 for v in first],
                      world.spec["textures"].index(texture), period)
        Image.fromarray(compose(world, sprites, scene)).save(folder / f"{name}.png", optimize=True)
        print(name, (folder / f"{name}.png").stat().st_size, "bytes")
