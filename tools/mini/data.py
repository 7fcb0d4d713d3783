"""Training examples: scenes, their packed questions and answers, and the worker processes that draw them.

A row holds one picture and several slots of text that all follow the same prefix (<s>USER: + picture): one long slot
(a description, a list of names, or two turns of talk) and short ones. The picture is encoded once for all of them.
Another sense (sound, drawing) would add its own prefix and its own slots here.
"""
import collections

import numpy as np

from compose import pil_picture
from phrases import FreeAsker
from scenes import Asker, FastRandom, Scene, World, draw_background, pick_kinds, place
from talk import FIXED, GREETING_WITH_PICTURE, UNKNOWN, UNKNOWN_IN_PICTURE, about_kind, outside, text_only
from tokenizer import BOS, EOS, SPLIT, Tokenizer

LONG, SHORT, TEXT = 60, 32, 60  # tokens of a slot
TRAIN_SIZES = {1: (64, 230), 2: (56, 150), 3: (52, 124), 4: (48, 110)}
TRAIN_ANGLE = 40
IGNORE = -100
SYNONYMS = ["image", "photo", "scene"]


def draw_scene(world, rng, kinds_hint=None):
    """A scene that training may see: no held-out pair or position, nothing mirrored but the kinds that may be."""
    while True:
        n = (1, 2, 2, 2, 3, 3, 4, 4)[rng.below(8)] if rng.below(8) else 1
        if n > 1 and rng.below(3) == 0:
            distinct = 1 + rng.below(n - 1)
            kinds = pick_kinds(world, rng, distinct)
            kinds = [kinds[0]] * (n - distinct) + kinds
        else:
            kinds = pick_kinds(world, rng, n)
        things = place(world, rng, kinds, sizes=TRAIN_SIZES[n], angle=TRAIN_ANGLE)
        if things is not None:
            for thing in things:
                thing.flip = world.mirrored[thing.kind] and rng.below(2) == 1
            for i in range(n - 1, 0, -1):
                j = rng.below(i + 1)
                things[i], things[j] = things[j], things[i]
            return Scene(things, *draw_background(world, rng))


class Talk:
    """Draws questions about a scene with their answers; `free` percent of them in other words than eval.json's."""

    def __init__(self, world, free=0):
        self.world, self.plain, self.freely, self.free = world, Asker(world), FreeAsker(world), free
        self.asker = self.plain

    def choose(self, rng):
        """Settles in whose words the next questions are asked."""
        self.asker = self.freely if self.free and rng.below(100) < self.free else self.plain
        return self.asker

    def more(self, rng, scene):
        """What only the free asker asks; None if it does not fit."""
        ask, things, form = self.freely, scene.things, rng.below(20)
        here, gone = things[rng.below(len(things))].kind, self.absent_kind(rng, scene)
        if form < 6:
            return ask.category(rng, scene)
        if form < 9:
            return ask.is_background(rng, scene)
        if form < 13:
            other = things[rng.below(len(things))].kind if rng.below(2) else gone
            pair = (here, other) if rng.below(2) else (other, here)
            return ask.both(rng, scene, *(pair if rng.below(8) else (gone, self.absent_kind(rng, scene))))
        if form < 15:
            return ask.biggest(rng, scene)
        if form < 18:
            return ask.feature(rng, scene, here if rng.below(2) else gone)
        questions, answer = FIXED[rng.below(len(FIXED))]
        return questions[rng.below(len(questions))], GREETING_WITH_PICTURE if answer.startswith("Hello") else answer

    def absent_kind(self, rng, scene):
        while True:
            kind = rng.below(len(self.world.kinds))
            if all(t.kind != kind for t in scene.things):
                return kind

    def short(self, rng, scene):
        ask, things = self.choose(rng), scene.things
        while True:
            if ask is self.freely and rng.below(5) == 0:
                found = self.more(rng, scene)
                if found:
                    return found
            form = rng.below(100)
            thing = things[rng.below(len(things))]
            other = things[rng.below(len(things))]
            found = None
            if form < 9:
                found = ask.name_one(rng, scene) or ask.what_cell(rng, scene, thing)
            elif form < 18:
                found = ask.where(rng, scene, thing)
            elif form < 27:
                found = ask.what_relation(rng, scene, thing, rng.below(4))
            elif form < 34 and other is not thing:
                found = ask.relation(rng, scene, thing, other)
            elif form < 42 and other is not thing:
                found = ask.is_relation(rng, scene, thing, other)
            elif form < 47:
                found = ask.what_cell(rng, scene, thing)
            elif form < 49:
                found = ask.nothing_cell(rng, scene, rng.below(9))
            elif form < 62:
                kind = thing.kind if rng.below(5) else self.absent_kind(rng, scene)
                found = ask.count(rng, scene, kind)
            elif form < 64:
                found = ask.total(rng, scene)
            elif form < 70:
                found = ask.background(rng, scene)
            elif form < 84:
                found = ask.presence(rng, scene, thing.kind if rng.below(2) else self.absent_kind(rng, scene))
            elif form < 96:
                found = ask.absent(rng, scene, self.absent_kind(rng, scene), thing)
            elif form < 98 and other is not thing:
                found = ask.bigger(rng, scene, thing, other)
            elif form == 98:
                found = (about_kind(rng, ask.noun(thing.kind)), UNKNOWN_IN_PICTURE)
            elif form == 99:
                found = (outside(rng, ask), UNKNOWN)
            if found:
                return found

    def about_picture(self, rng, scene):
        """A question that only a picture answers."""
        while True:
            question, answer = self.short(rng, scene)
            if scene.colour in answer or "there" in answer.lower() or answer.startswith(("The", "Yes", "No")):
                return question

    def turns(self, rng, scene):
        """What fills the long slot: a list of (question, answer)."""
        form, _ = rng.below(20), self.choose(rng)
        if form < 6:
            return [self.asker.describe(rng, scene)]
        if form < 12:
            return [self.asker.name_all(rng, scene)]
        first = self.asker.describe(rng, scene) if form < 14 else self.short(rng, scene)
        return [first, self.short(rng, scene)]


def vary(rng, question):
    """Small changes of wording that should not matter."""
    if "picture" in question and rng.below(5) == 0:
        question = question.replace("picture", SYNONYMS[rng.below(3)])
    if "the picture" in question and rng.below(8) == 0:
        question = question.replace("the picture", "this picture")
    change = rng.below(24)
    if change == 0:
        question = question.lower()
    elif change == 1:
        question = question.rstrip("?.")
    elif change == 2:
        question = ("Please answer: ", "Tell me: ", "Please tell me: ", "Can you tell me: ")[rng.below(4)] + question
    elif change == 3 and question.startswith("What is "):
        question = "What's " + question[8:]
    return question


class Packer:
    """Turns questions and answers into token ids and labels."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.prefix = [BOS] + tokenizer.encode("USER: ")

    def turn(self, question, answer, lead):
        """Ids of `lead + question + ' ASSISTANT: ' + answer + </s>` and how many of them are the question's."""
        head = self.tokenizer.encode(lead + question + " ASSISTANT:")
        return head + self.tokenizer.encode(" " + answer) + [EOS], len(head)

    def fill(self, turns, size, ids, labels, leads=("\n", "USER: "), start=()):
        """Writes the turns into a slot; false if they do not fit. A label is the id that follows."""
        at = len(start)
        row, targets = list(start), [IGNORE] * at
        for index, (question, answer) in enumerate(turns):
            piece, head = self.turn(question, answer, leads[min(index, 1)])
            row += piece
            targets += [IGNORE] * head + piece[head:]
        if len(row) > size:
            return False
        ids[:len(row)] = row
        labels[:len(row) - 1] = targets[1:]
        return True


def build_tokenizer(world, path, vocabulary, samples=60000):
    """Trains the tokenizer on the sentences of many scenes, every kind's words, and the talk."""
    from tokenizer import train, write
    rng, talk, counts = FastRandom(1), Talk(world), collections.Counter()

    def add(text, weight=1):
        for word in SPLIT.findall(text):
            counts[word] += weight
    for _ in range(samples // 4):
        scene = draw_scene(world, rng)
        for turns in (talk.turns(rng, scene), [talk.short(rng, scene)], [talk.short(rng, scene)]):
            for question, answer in turns:
                add(f"\n{vary(rng, question)} ASSISTANT: {answer}")
        question, answer = text_only(rng, talk.asker, lambda: talk.about_picture(rng, scene))
        if answer != UNKNOWN:
            add(f"USER: {question} ASSISTANT: {answer}")
    for kind in world.kinds:
        for word in (kind["name"], kind["plural"]):
            add(" " + word, 400)
    from talk import OUTSIDE
    for question in OUTSIDE:
        add(question, 3)
    tokens, merges = train(counts, vocabulary)
    write(path, tokens, merges)
    return counts


def scene_arrays(scenes):
    """Scenes as the GPU's renderer takes them."""
    n = len(scenes)
    things = np.zeros((n, 4, 6), np.float32)
    kinds = np.full((n, 4), -1, np.int32)
    ground = np.zeros((n, 8), np.float32)
    for i, s in enumerate(scenes):
        for j, t in enumerate(s.things):
            kinds[i, j] = t.kind
            things[i, j] = (t.x, t.y, t.size, t.angle, 1.0 if t.flip else 0.0, 1.0)
        ground[i] = (*s.first, *s.second, s.texture, s.period)
    return kinds, things, ground


def batch(world, talk, packer, rng, sprites, size, shorts, photos, texts, side):
    """One step's rows: `size` scenes with `shorts` short slots, the first `photos` of them also drawn by PIL, and
    `texts` rows without picture."""
    pack = LONG + SHORT * shorts
    ids = np.zeros((size, pack), np.int16)
    labels = np.full((size, pack), IGNORE, np.int16)
    scenes = [draw_scene(world, rng) for _ in range(size)]
    for i, scene in enumerate(scenes):
        while not packer.fill([(vary(rng, q), a) for q, a in talk.turns(rng, scene)], LONG, ids[i, :LONG],
                              labels[i, :LONG]):
            pass
        for j in range(shorts):
            at = slice(LONG + j * SHORT, LONG + (j + 1) * SHORT)
            while True:
                question, answer = talk.short(rng, scene)
                if packer.fill([(vary(rng, question), answer)], SHORT, ids[i, at], labels[i, at]):
                    break
    pictures = np.stack([pil_picture(world, sprites, scene, rng, side) for scene in scenes[:photos]])
    text_ids = np.zeros((texts, TEXT), np.int16)
    text_labels = np.full((texts, TEXT), IGNORE, np.int16)
    for i in range(texts):
        while True:
            pair = text_only(rng, talk.asker, lambda: talk.about_picture(rng, scenes[rng.below(size)]))
            if packer.fill([pair], TEXT, text_ids[i], text_labels[i], leads=("USER: ",), start=(BOS,)):
                break
    return (*scene_arrays(scenes), pictures, ids, labels, text_ids, text_labels)


def worker(queue, seed, index, workers, folder, free, size, shorts, photos, texts, side):
    """Fills the queue with batches index, index + workers, ...; each has its own seed."""
    from compose import load_sprites
    world = World(folder / "eval")
    talk, packer = Talk(world, free), Packer(Tokenizer(folder / "tokenizer.json"))
    sprites = load_sprites(world)
    step = index
    while True:
        rng = FastRandom(f"{seed}/{step}")
        queue.put((step, batch(world, talk, packer, rng, sprites, size, shorts, photos, texts, side)))
        step += workers
