"""Scenes and their questions: what training and the evaluation set draw from (EVAL.md has the rules in words)."""
import json
import pathlib
import random

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MASK = (1 << 64) - 1


def fnv1a32(text):
    """FNV-1a, 32 bits, over UTF-8."""
    value = 0x811C9DC5
    for byte in text.encode("utf-8"):
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


class SplitMix64:
    """The evaluation's generator: below(n) = (next64 >> 33) % n."""

    def __init__(self, seed):
        self.state = seed & MASK

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return ((z ^ (z >> 31)) >> 33) % n


class FastRandom:
    """Training's generator: Python's, with the same interface."""

    def __init__(self, seed):
        self._random = random.Random(seed).random

    def below(self, n):
        return int(self._random() * n)


class World:
    """The kinds, the shared words and limits, and what is held out."""

    def __init__(self, folder=ROOT / "models/mini/eval"):
        self.folder = pathlib.Path(folder)
        self.spec = json.loads((self.folder / "eval.json").read_text(encoding="utf-8"))
        self.kinds = json.loads((self.folder / "names.json").read_text(encoding="utf-8"))["kinds"]
        held = self.spec["heldout"]
        self.grid = held["grid"]
        cells = self.grid * self.grid
        self.held_cells = [[c for c in range(cells) if (fnv1a32(k["name"]) + c) % held["cell_modulus"] == 0]
                           for k in self.kinds]
        self.cell_is_held = [frozenset(c) for c in self.held_cells]
        names = [k["name"] for k in self.kinds]
        self.pair_is_held = [
            [a != b and fnv1a32("|".join(sorted((a, b)))) % held["pair_modulus"] == 0 for b in names] for a in names]
        self.mirrored = [fnv1a32("mirror|" + name) % held["mirror_modulus"] == 0 for name in names]
        self.colour_names = list(self.spec["colours"])

    def fine_cell(self, x, y):
        side = self.spec["canvas"]
        return x * self.grid // side + self.grid * (y * self.grid // side)


class Thing:
    """One object of a scene: kind index, centre and size in canvas pixels, angle in degrees, mirrored or not."""
    __slots__ = ("kind", "x", "y", "size", "angle", "flip")

    def __init__(self, kind, x, y, size, angle, flip=False):
        self.kind, self.x, self.y, self.size, self.angle, self.flip = kind, x, y, size, angle, flip


class Scene:
    """things in painting order; a background of two colours and a texture."""
    __slots__ = ("things", "colour", "first", "second", "texture", "period")

    def __init__(self, things, colour, first, second, texture, period):
        self.things, self.colour, self.first, self.second = things, colour, first, second
        self.texture, self.period = texture, period


def draw_background(world, rng, avoid=None):
    spec = world.spec
    names = [c for c in world.colour_names if c != avoid]
    colour = names[rng.below(len(names))]
    low, high = spec["colours"][colour]
    if colour in spec["one_draw_colours"]:
        first = [low[0] + rng.below(high[0] - low[0] + 1)] * 3
    else:
        first = [low[i] + rng.below(high[i] - low[i] + 1) for i in range(3)]
    a, b = spec["texture_shade_percent"]
    shade = a + rng.below(b - a + 1)
    second = [v * shade // 100 for v in first]
    if colour == "black":
        second = [v + 25 - shade // 4 for v in first]
    texture = rng.below(len(spec["textures"]))
    a, b = spec["texture_period"]
    return colour, first, second, texture, a + rng.below(b - a + 1)


def place(world, rng, kinds, held=(), sizes=None, angle=None):
    """Centres, sizes and angles for the kinds, or None. Those whose index is in held stand in one of their held-out
    cells; every other one outside of them."""
    spec, side = world.spec, world.spec["canvas"]
    low, high = sizes or spec["sizes"][str(len(kinds))]
    apart = spec["apart_percent"][rng.below(len(spec["apart_percent"]))]
    limit = spec["angle"] if angle is None else angle
    things = []
    for index, kind in enumerate(kinds):
        for _ in range(40):
            size = low + rng.below(high - low + 1)
            reach = size * spec["reach_percent"] // 100
            x = reach + rng.below(side - 2 * reach)
            y = reach + rng.below(side - 2 * reach)
            if (world.fine_cell(x, y) in world.cell_is_held[kind]) != (index in held):
                continue
            if all(((x - t.x) ** 2 + (y - t.y) ** 2) * 40000 >= (apart * (size + t.size)) ** 2 for t in things):
                break
        else:
            return None
        turn = rng.below(2 * limit + 1) - limit if rng.below(2) else 0
        things.append(Thing(kind, x, y, size, turn))
    return things


def pick_kinds(world, rng, count, first=None):
    """Distinct kinds, no two of them a held-out pair; `first` are taken as they are."""
    kinds = list(first or [])
    while len(kinds) < count:
        kind = rng.below(len(world.kinds))
        held = world.pair_is_held[kind]
        if kind not in kinds and not any(held[k] for k in kinds):
            kinds.append(kind)
    return kinds


def cell_of(world, thing):
    """The third of the picture that a thing's centre is in, 0 to 8 in reading order, and whether it is clearly in it."""
    side, margin = world.spec["canvas"], world.spec["cell_margin"]
    third = side // 3
    clear = all(min(abs(v - third), abs(v - 2 * third)) >= margin for v in (thing.x, thing.y))
    return thing.x * 3 // side + 3 * (thing.y * 3 // side), clear


def relation_of(world, a, b):
    """0 left, 1 right, 2 above, 3 below (a to b) if it is clear, else None."""
    dx, dy = a.x - b.x, a.y - b.y
    least, ratio = world.spec["relation"]["least"], world.spec["relation"]["ratio_percent"]
    if abs(dx) >= least and abs(dx) * 100 >= abs(dy) * ratio:
        return 0 if dx < 0 else 1
    if abs(dy) >= least and abs(dy) * 100 >= abs(dx) * ratio:
        return 2 if dy < 0 else 3
    return None


class Asker:
    """Questions about a scene with their answers. A method returns (question, answer), or None if the question does
    not fit the scene."""

    def __init__(self, world):
        self.world, self.spec, self.kinds = world, world.spec, world.kinds

    def question(self, rng, key, **words):
        forms = self.spec["questions"][key]
        return forms[rng.below(len(forms))].format(**words)

    def noun(self, kind):
        return self.kinds[kind]["name"]

    def a(self, kind):
        return f"{self.kinds[kind]['article']} {self.kinds[kind]['name']}"

    def some(self, kind, count):
        return self.a(kind) if count == 1 else f"{self.spec['numbers'][count]} {self.kinds[kind]['plural']}"

    @staticmethod
    def join(parts):
        return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]

    @staticmethod
    def count_of(scene, kind):
        return sum(t.kind == kind for t in scene.things)

    def single(self, scene, kind):
        found = [t for t in scene.things if t.kind == kind]
        return found[0] if len(found) == 1 else None

    def groups(self, scene):
        """Kinds with their counts, from left to right."""
        order = sorted(scene.things, key=lambda t: t.x)
        counts = {}
        for t in order:
            counts[t.kind] = counts.get(t.kind, 0) + 1
        return list(counts.items())

    def name_one(self, rng, scene):
        if len(scene.things) != 1:
            return None
        return self.question(rng, "name_one"), f"This is {self.a(scene.things[0].kind)}."

    def name_all(self, rng, scene):
        groups = self.groups(scene)
        verb = "is" if groups[0][1] == 1 else "are"
        listed = self.join([self.some(k, n) for k, n in groups])
        return self.question(rng, "name_all"), f"There {verb} {listed} in the picture."

    def where(self, rng, scene, thing):
        cell, clear = cell_of(self.world, thing)
        if not clear or not self.single(scene, thing.kind):
            return None
        x = self.noun(thing.kind)
        return self.question(rng, "where", x=x), f"The {x} is {self.spec['cells'][cell]}."

    def what_relation(self, rng, scene, thing, relation):
        """What is left of (the one) thing: one clear object there, or clearly none."""
        if not self.single(scene, thing.kind):
            return None
        others = [t for t in scene.things if t is not thing]
        found = [t for t in others if relation_of(self.world, t, thing) == relation]
        near = [t for t in others if t not in found and
                ((thing.x - t.x, t.x - thing.x, thing.y - t.y, t.y - thing.y)[relation] > 8)]
        if near or len(found) > 1 or (found and not self.single(scene, found[0].kind)):
            return None
        word, y = self.spec["relations"][relation], self.noun(thing.kind)
        answer = f"The {self.noun(found[0].kind)} is {word} the {y}." if found else f"There is nothing {word} the {y}."
        return self.question(rng, "what_relation", relation=word, y=y), answer

    def relation(self, rng, scene, a, b):
        found = relation_of(self.world, a, b)
        if found is None or a.kind == b.kind or not self.single(scene, a.kind) or not self.single(scene, b.kind):
            return None
        x, y = self.noun(a.kind), self.noun(b.kind)
        return self.question(rng, "relation", x=x, y=y), f"The {x} is {self.spec['relations'][found]} the {y}."

    def is_relation(self, rng, scene, a, b):
        found = relation_of(self.world, a, b)
        if found is None or a.kind == b.kind or not self.single(scene, a.kind) or not self.single(scene, b.kind):
            return None
        x, y, words = self.noun(a.kind), self.noun(b.kind), self.spec["relations"]
        asked = found if rng.below(2) else rng.below(4)
        yes = "Yes" if asked == found else "No"
        return (self.question(rng, "is_relation", x=x, y=y, relation=words[asked]),
                f"{yes}, the {x} is {words[found]} the {y}.")

    def what_cell(self, rng, scene, thing):
        cell, clear = cell_of(self.world, thing)
        others = [t for t in scene.things if t is not thing]
        if not clear or any(cell_of(self.world, t)[0] == cell or self.touches(t, cell) for t in others):
            return None
        words = self.spec["cells"][cell]
        return self.question(rng, "what_cell", cell=words), f"There is {self.a(thing.kind)} {words}."

    def touches(self, thing, cell):
        """Whether the thing's centre is within the margin of that third of the picture."""
        third, margin = self.spec["canvas"] // 3, self.spec["cell_margin"]
        left, top = cell % 3 * third, cell // 3 * third
        return (left - margin <= thing.x < left + third + margin) and (top - margin <= thing.y < top + third + margin)

    def nothing_cell(self, rng, scene, cell):
        if any(self.touches(t, cell) for t in scene.things):
            return None
        words = self.spec["cells"][cell]
        return self.question(rng, "what_cell", cell=words), f"There is nothing {words}."

    def count(self, rng, scene, kind):
        n, words = self.count_of(scene, kind), self.kinds[kind]
        if n == 1:
            answer = f"There is one {words['name']} in the picture."
        else:
            answer = f"There are {self.spec['numbers'][n]} {words['plural']} in the picture."
        return self.question(rng, "count", xs=words["plural"]), answer

    def total(self, rng, scene):
        n = len(scene.things)
        answer = "There is one object" if n == 1 else f"There are {self.spec['numbers'][n]} objects"
        return self.question(rng, "total"), answer + " in the picture."

    def background(self, rng, scene):
        return self.question(rng, "background"), f"The background is {scene.colour}."

    def presence(self, rng, scene, kind):
        n, words = self.count_of(scene, kind), self.kinds[kind]
        question = self.question(rng, "presence", a=words["article"], x=words["name"])
        if n == 0:
            return question, f"No, there is no {words['name']} in the picture."
        verb = "is" if n == 1 else "are"
        return question, f"Yes, there {verb} {self.some(kind, n)} in the picture."

    def absent(self, rng, scene, kind, other):
        """A question that takes the absent kind for granted; `other` is a thing that is there."""
        x, y, words = self.noun(kind), self.noun(other.kind), self.spec["relations"]
        answer = f"There is no {x} in the picture."
        form = rng.below(5)
        if form < 2:
            return self.question(rng, "where", x=x), answer
        if form < 4:
            return self.question(rng, "what_relation", relation=words[rng.below(4)], y=x), answer
        first, second = (x, y) if rng.below(2) else (y, x)
        if rng.below(2):
            return self.question(rng, "is_relation", x=first, y=second, relation=words[rng.below(4)]), answer
        return self.question(rng, "relation", x=first, y=second), answer

    def bigger(self, rng, scene, a, b):
        if a.kind == b.kind or not self.single(scene, a.kind) or not self.single(scene, b.kind):
            return None
        if max(a.size, b.size) * 100 < min(a.size, b.size) * 130:
            return None
        key = "bigger" if rng.below(2) else "smaller"
        big, small = (a, b) if a.size > b.size else (b, a)
        x, y = (big, small) if key == "bigger" else (small, big)
        question = self.question(rng, key, x=self.noun(a.kind), y=self.noun(b.kind))
        return question, f"The {self.noun(x.kind)} is {key} than the {self.noun(y.kind)}."

    def describe(self, rng, scene):
        order = sorted(scene.things, key=lambda t: (cell_of(self.world, t)[0], t.x))
        parts = [f"{self.a(t.kind)} {self.spec['cells'][cell_of(self.world, t)[0]]}" for t in order]
        return (self.question(rng, "describe"),
                f"The picture shows {self.join(parts)}. The background is {scene.colour}.")
