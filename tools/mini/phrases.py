"""More ways to ask, for training only: the evaluation set asks in eval.json's own words."""
from scenes import Asker, cell_of, relation_of

FORMS = {
    "name_one": ["What is it?", "What do you see here?", "Name the object.", "What object is this?", "What's shown here?",
                 "Tell me what this is.", "Identify the object.", "What is shown?", "What is depicted here?",
                 "Do you know what this is?", "What is in this picture?", "What's this?"],
    "name_all": ["What is there?", "What objects are there?", "Name the objects.", "List the objects.", "What is here?",
                 "List all objects in the picture.", "Name everything in the picture.", "What's in the picture?",
                 "What things are in the picture?", "Which things do you see?", "What is shown in the picture?",
                 "What is in this picture?", "What does this picture show?", "What do we see here?",
                 "What are the objects in the picture?", "What objects do you see?", "What all is in the picture?"],
    "where": ["Where's the {x}?", "Where can I find the {x}?", "Where do you see the {x}?", "Locate the {x}.",
              "What is the position of the {x}?", "Can you tell me where the {x} is?", "Find the {x}.",
              "Where is the {x} in the picture?", "Where exactly is the {x}?", "Show me where the {x} is."],
    "what_relation": ["What's {relation} the {y}?", "What can you see {relation} the {y}?", "Which thing is {relation} the {y}?",
                      "What object is {relation} the {y}?", "Name the object {relation} the {y}.",
                      "Is there anything {relation} the {y}?", "What is {relation} the {y}?", "What lies {relation} the {y}?"],
    "relation": ["Where is the {x} in relation to the {y}?", "What is the position of the {x} relative to the {y}?",
                 "How is the {x} placed relative to the {y}?", "Where is the {x} with respect to the {y}?"],
    "is_relation": ["Is the {x} {relation} the {y}?", "Is it true that the {x} is {relation} the {y}?",
                    "Do you see the {x} {relation} the {y}?"],
    "what_cell": ["What's {cell}?", "What is {cell}?", "What object is {cell}?", "What can you see {cell}?",
                  "Name the object {cell}.", "What is there {cell}?", "Is there anything {cell}?"],
    "count": ["How many {xs}?", "How many {xs} can you see?", "How many {xs} does the picture show?", "Number of {xs}?",
              "What is the number of {xs}?", "How many {xs} are shown?", "Can you count the {xs}?", "How many {xs} are here?",
              "Please count the {xs}.", "Count the number of {xs}."],
    "total": ["How many objects do you see?", "Count the objects.", "How many things are there?", "Count everything.",
              "How many objects are in the picture?", "How many items are in the picture?", "How many things do you see?"],
    "background": ["What is the background colour?", "What is the background color?", "Which color is the background?",
                   "What colour is behind the objects?", "What color is the background of the picture?",
                   "Name the colour of the background.", "Background colour?", "What's the background color?",
                   "What colour is it?", "Which colour does the background have?", "Tell me the background colour."],
    "presence": ["Is there any {x}?", "Are there any {xs}?", "Are there {xs} in the picture?", "Do you see any {xs}?",
                 "Is the {x} in the picture?", "Is {a} {x} in the picture?", "Is {a} {x} there?", "Can you find {a} {x}?",
                 "Can you see the {x}?", "Is {a} {x} visible?", "Are there any {xs} in the picture?", "Are there {xs}?",
                 "Does the picture contain {a} {x}?", "Is there {a} {x} here?", "Do you see the {x}?", "Any {xs}?"],
    "bigger": ["Which one is bigger, the {x} or the {y}?", "What is bigger, the {x} or the {y}?"],
    "smaller": ["Which one is smaller, the {x} or the {y}?", "What is smaller, the {x} or the {y}?"],
    "describe": ["Describe the picture in detail.", "Please describe the picture.", "Can you describe the picture?",
                 "Give a description of the picture.", "What does the scene look like?", "Tell me what you see.",
                 "Write a caption.", "Caption this.", "What is happening here?", "Explain the picture.", "Describe it.",
                 "Describe this.", "Describe everything you see.", "What is happening in the picture?"],
}
RELATIONS = [["to the left of", "left of", "on the left of", "on the left side of"],
             ["to the right of", "right of", "on the right of", "on the right side of"],
             ["above", "over", "on top of", "higher than"], ["below", "under", "beneath", "underneath"]]
CELLS = [["top left", "upper left"], ["at the top of the picture", "in the top middle", "at the top centre"],
         ["top right", "upper right"], ["on the left side", "at the left", "on the left of the picture"],
         ["in the center", "in the centre", "in the middle of the picture", "in the center of the picture"],
         ["on the right side", "at the right", "on the right of the picture"], ["bottom left", "lower left"],
         ["at the bottom of the picture", "in the bottom middle", "at the bottom centre"], ["bottom right", "lower right"]]
CATEGORIES = ["animal", "fruit", "vehicle", "building", "plant", "tool", "vegetable", "musical instrument"]
FEATURES = ["What colour is the {x}?", "What is the {x} doing?", "Which color is the {x}?", "Who made the {x}?",
            "How much does the {x} cost?", "Why is the {x} there?", "Is the {x} happy?", "How old is the {x}?"]


class FreeAsker(Asker):
    """Asks in other words, and about more: kinds of things, two objects at once, the biggest, the colour yes or no."""

    def question(self, rng, key, **words):
        if rng.below(4) == 0:
            return super().question(rng, key, **words)
        if "relation" in words:
            index = self.spec["relations"].index(words["relation"])
            words["relation"] = RELATIONS[index][rng.below(4)]
        if "cell" in words:
            words["cell"] = self.cell_words(rng, self.spec["cells"].index(words["cell"]))
        if key == "presence":
            words["xs"] = next(k["plural"] for k in self.kinds if k["name"] == words["x"])
        return FORMS[key][rng.below(len(FORMS[key]))].format(**words)

    def cell_words(self, rng, cell):
        words = CELLS[cell][rng.below(len(CELLS[cell]))]
        if cell in (0, 2, 6, 8):
            return (f"in the {words}", f"in the {words} corner", f"at the {words}")[rng.below(3)]
        return words if rng.below(2) else self.spec["cells"][cell]

    def offset(self, a, b, relation):
        return (b.x - a.x, a.x - b.x, b.y - a.y, a.y - b.y)[relation]

    def what_relation(self, rng, scene, thing, relation):
        """Also when it stands there only roughly: one object alone is on that side."""
        others = [t for t in scene.things if t is not thing]
        found = [t for t in others if self.offset(t, thing, relation) >= 40]
        between = [t for t in others if 8 < self.offset(t, thing, relation) < 40]
        if len(found) > 1:
            clear = [t for t in found if relation_of(self.world, t, thing) == relation]
            found = clear if len(clear) == 1 else found
        if not self.single(scene, thing.kind) or len(found) > 1 or (between and not found):
            return None
        if found and not self.single(scene, found[0].kind):
            return None
        word, y = self.spec["relations"][relation], self.noun(thing.kind)
        answer = f"The {self.noun(found[0].kind)} is {word} the {y}." if found else f"There is nothing {word} the {y}."
        return self.question(rng, "what_relation", relation=word, y=y), answer

    def is_relation(self, rng, scene, a, b):
        if a.kind == b.kind or not self.single(scene, a.kind) or not self.single(scene, b.kind):
            return None
        clear, words = relation_of(self.world, a, b), self.spec["relations"]
        x, y, asked = self.noun(a.kind), self.noun(b.kind), rng.below(4)
        if clear is not None and rng.below(3) == 0:
            asked = clear
        if self.offset(a, b, asked) >= 40:
            answer = f"Yes, the {x} is {words[asked]} the {y}."
        elif clear is not None and self.offset(a, b, asked) < 8:
            answer = f"No, the {x} is {words[clear]} the {y}."
        else:
            return None
        if clear is not None and rng.below(4) == 0 and answer[0] == ("Y" if asked == clear else "N"):
            pair = ("left or right of", "above or below")[clear // 2]
            return f"Is the {x} {pair} the {y}?", f"The {x} is {words[clear]} the {y}."
        return self.question(rng, "is_relation", x=x, y=y, relation=words[asked]), answer

    def name_one(self, rng, scene):
        if len(scene.things) > 1:
            return self.question(rng, "name_one"), self.name_all(rng, scene)[1]
        return super().name_one(rng, scene)

    def is_background(self, rng, scene):
        names = self.world.colour_names
        asked = scene.colour if rng.below(2) else names[rng.below(len(names))]
        yes = "Yes" if asked == scene.colour else "No"
        return f"Is the background {asked}?", f"{yes}, the background is {scene.colour}."

    def both(self, rng, scene, first, second):
        if first == second:
            return None
        missing = [k for k in (first, second) if not self.count_of(scene, k)]
        question = (f"Is there {self.a(first)} and {self.a(second)} in the picture?",
                    f"Do you see {self.a(first)} and {self.a(second)}?",
                    f"Is there {self.a(first)} and {self.a(second)}?")[rng.below(3)]
        if missing:
            return question, "No, there is " + " and ".join(f"no {self.noun(k)}" for k in missing) + " in the picture."
        listed = [self.some(k, self.count_of(scene, k)) for k in (first, second)]
        verb = "is" if self.count_of(scene, first) == 1 else "are"
        return question, f"Yes, there {verb} {listed[0]} and {listed[1]} in the picture."

    def biggest(self, rng, scene):
        order = sorted(scene.things, key=lambda t: t.size)
        if len(order) < 2:
            return None
        big = rng.below(2)
        a, b = (order[-1], order[-2]) if big else (order[0], order[1])
        if max(a.size, b.size) * 100 < min(a.size, b.size) * 125 or not self.single(scene, a.kind):
            return None
        word = (("smallest",), ("biggest", "largest"))[big][rng.below(1 + big)]
        question = (f"Which object is the {word}?", f"What is the {word} object?", f"What is the {word} thing?")[rng.below(3)]
        return question, f"The {self.noun(a.kind)} is the {'biggest' if big else 'smallest'} object."

    def category(self, rng, scene):
        word = self.kinds[scene.things[rng.below(len(scene.things))].kind]["category"]
        if rng.below(3) == 0 or word not in CATEGORIES:
            word = CATEGORIES[rng.below(len(CATEGORIES))]
        groups = [(k, n) for k, n in self.groups(scene) if self.kinds[k]["category"] == word]
        total = sum(n for _, n in groups)
        article, many = ("an" if word[0] == "a" else "a"), word if word == "fruit" else word + "s"
        form = rng.below(3)
        if form == 0:
            question = (f"How many {many} are there?", f"How many {many} do you see?", f"Count the {many}.",
                        f"How many {many} are in the picture?")[rng.below(4)]
            count = f"one {word}" if total == 1 else f"{self.spec['numbers'][total]} {word if total == 1 else many}"
            return question, f"There {'is' if total == 1 else 'are'} {count} in the picture."
        listed = self.join([self.some(k, n) for k, n in groups]) if groups else f"no {word}"
        verb = "are" if groups and groups[0][1] > 1 else "is"
        if form == 1:
            question = (f"Is there {article} {word} in the picture?", f"Do you see {article} {word}?",
                        f"Are there any {many}?", f"Is there {article} {word}?", f"Do you see any {many}?")[rng.below(5)]
            return question, f"{'Yes' if groups else 'No'}, there {verb} {listed} in the picture."
        question = (f"Which {word} is in the picture?", f"What {word} is this?", f"Which {word} do you see?",
                    f"What {word} do you see?", f"What {many} are in the picture?", f"Which {many} do you see?")[rng.below(6)]
        return question, f"There {verb} {listed} in the picture."

    def feature(self, rng, scene, kind):
        """What a picture of this sort does not tell."""
        question = FEATURES[rng.below(len(FEATURES))].format(x=self.noun(kind))
        there = self.count_of(scene, kind) > 0
        return question, "I do not know that." if there else f"There is no {self.noun(kind)} in the picture."
