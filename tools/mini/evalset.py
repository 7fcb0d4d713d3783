"""The fixed evaluation set (EVAL.md): items with their scenes, questions and answers, drawn with SplitMix64."""
import re

from scenes import Asker, Scene, SplitMix64, Thing, World, draw_background, fnv1a32, pick_kinds, place

COLUMNS = ("tasks", "heldout_pairs", "second_rendering")


class Item:
    __slots__ = ("column", "task", "index", "scene", "question", "answer")

    def __init__(self, column, task, index, scene, question, answer):
        self.column, self.task, self.index = column, task, index
        self.scene, self.question, self.answer = scene, question, answer


def normalize(text):
    """Lower case, letters, digits and hyphens only, single spaces: an answer is right if it equals the expected one."""
    return " ".join(re.sub(r"[^a-z0-9-]+", " ", text.lower()).split())


class EvalSet:
    def __init__(self, world, seed=None):
        self.world, self.asker = world, Asker(world)
        self.seed = world.spec["seed"] if seed is None else seed

    def items(self):
        for column in COLUMNS:
            for task, count in self.world.spec[column].items():
                for index in range(count):
                    yield self.item(column, task, index)

    def item(self, column, task, index):
        """One item; second_rendering takes only kinds that training never mirrors, and mirrors them."""
        rng = SplitMix64((self.seed << 32) ^ fnv1a32(f"{column}/{task}/{index}"))
        second = column == "second_rendering"
        while True:
            found = getattr(self, task)(rng, column == "heldout_pairs")
            if found and not (second and any(self.world.mirrored[t.kind] for t in found[0].things)):
                break
        scene, (question, answer) = found
        if second:
            scene = self.again(rng, scene)
        return Item(column, task, index, scene, question, answer)

    def again(self, rng, scene):
        """Mirrored, a quarter smaller or larger, on another colour."""
        things = []
        percent = (75, 125)[rng.below(2)]
        for t in scene.things:
            things.append(Thing(t.kind, t.x, t.y, t.size * percent // 100, -t.angle, True))
        return Scene(things, *draw_background(self.world, rng, avoid=scene.colour))

    def kinds(self, rng, count, pair):
        """Distinct kinds; the first two are a held-out pair if `pair`, and no others are."""
        if not pair:
            return pick_kinds(self.world, rng, count)
        first = rng.below(len(self.world.kinds))
        partners = [k for k, held in enumerate(self.world.pair_is_held[first]) if held]
        return pick_kinds(self.world, rng, count, [first, partners[rng.below(len(partners))]])

    def scene(self, rng, kinds):
        """The first object stands in a held-out position."""
        things = place(self.world, rng, kinds, held=(0,))
        if things is None:
            return None
        return Scene(things, *draw_background(self.world, rng))

    def name(self, rng, pair):
        single = not pair and rng.below(10) < 6
        scene = self.scene(rng, self.kinds(rng, 1 if single else 2, pair))
        if scene is None:
            return None
        if single:
            return scene, self.asker.name_one(rng, scene)
        if abs(scene.things[0].x - scene.things[1].x) < 24:
            return None
        return scene, self.asker.name_all(rng, scene)

    def position(self, rng, pair):
        scene = self.scene(rng, self.kinds(rng, 2 + rng.below(3), pair))
        if scene is None:
            return None
        first, second = scene.things[0], scene.things[1]
        form = rng.below(5) if not pair else 1 + rng.below(3)
        if form == 0:
            found = self.asker.where(rng, scene, first)
        elif form == 1:
            found = self.asker.what_relation(rng, scene, second, rng.below(4))
            if found and found[1].startswith("There is nothing"):
                return None
        elif form == 2:
            found = self.asker.relation(rng, scene, first, second)
        elif form == 3:
            found = self.asker.is_relation(rng, scene, first, second)
        else:
            found = self.asker.what_cell(rng, scene, first)
        return (scene, found) if found else None

    def count(self, rng, pair):
        wanted = rng.below(5)
        total = max(1, wanted) + rng.below(5 - max(1, wanted))
        kinds = self.kinds(rng, 1 + total - wanted, False)
        asked, others = kinds[0], kinds[1:]
        placed = [asked] * wanted + others if wanted else others
        scene = self.scene(rng, placed)
        return (scene, self.asker.count(rng, scene, asked)) if scene else None

    def background(self, rng, pair):
        scene = self.scene(rng, self.kinds(rng, 1 + rng.below(4), False))
        return (scene, self.asker.background(rng, scene)) if scene else None

    def presence(self, rng, pair):
        """Yes: the first object. No: a kind that is not there (for a held-out pair, a partner of the first object)."""
        yes = rng.below(2)
        count = 2 + rng.below(3) if pair else 1 + rng.below(4)
        kinds = self.kinds(rng, count, pair)
        asked = kinds[0] if yes else self.absentee(rng, kinds, pair)
        scene = self.scene(rng, kinds)
        return (scene, self.asker.presence(rng, scene, asked)) if scene else None

    def absent(self, rng, pair):
        kinds = self.kinds(rng, 2 + rng.below(3) if pair else 1 + rng.below(4), pair)
        asked = self.absentee(rng, kinds, pair)
        scene = self.scene(rng, kinds)
        return (scene, self.asker.absent(rng, scene, asked, scene.things[0])) if scene else None

    def absentee(self, rng, kinds, pair):
        while True:
            kind = rng.below(len(self.world.kinds))
            if kind not in kinds and (not pair or self.world.pair_is_held[kinds[0]][kind]):
                return kind


if __name__ == "__main__":
    world = World()
    for item in EvalSet(world).items():
        if item.index < 3:
            print(item.column, item.task, item.index, [world.kinds[t.kind]["name"] for t in item.scene.things],
                  item.question, "|", item.answer)
