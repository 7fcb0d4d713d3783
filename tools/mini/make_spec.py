"""Writes models/mini/eval/eval.json: the words, colours, limits and counts that training and evaluation share.

EVAL.md says how they are used. Everything random is drawn from SplitMix64 in integers, so that any language
composes the same items.
"""
import json
import pathlib

CELLS = ["in the top left corner", "at the top", "in the top right corner", "on the left", "in the middle",
         "on the right", "in the bottom left corner", "at the bottom", "in the bottom right corner"]

SPEC = {
    "schema": 1,
    "seed": 7,
    "canvas": 288,
    "cells": CELLS,
    "cell_margin": 10,
    "numbers": ["no", "one", "two", "three", "four"],
    "relations": ["to the left of", "to the right of", "above", "below"],
    "relation": {"least": 50, "ratio_percent": 160},
    "sizes": {"1": [80, 150], "2": [70, 140], "3": [64, 118], "4": [60, 104]},
    "reach_percent": 46,
    "apart_percent": [62, 62, 62, 62, 45],
    "angle": 25,
    "heldout": {"pair_modulus": 8, "grid": 6, "cell_modulus": 9, "mirror_modulus": 2},
    "colours": {
        "red": [[200, 25, 25], [240, 60, 60]],
        "orange": [[240, 125, 0], [255, 155, 40]],
        "yellow": [[240, 215, 40], [255, 240, 100]],
        "green": [[30, 140, 40], [90, 190, 90]],
        "blue": [[25, 70, 190], [70, 125, 245]],
        "purple": [[105, 40, 150], [145, 80, 200]],
        "pink": [[245, 150, 185], [255, 190, 215]],
        "brown": [[100, 60, 25], [140, 90, 55]],
        "grey": [[120, 120, 120], [155, 155, 155]],
        "black": [[0, 0, 0], [30, 30, 30]],
        "white": [[238, 238, 238], [255, 255, 255]],
    },
    "one_draw_colours": ["grey", "black", "white"],
    "textures": ["plain", "horizontal", "vertical", "diagonal", "checks", "dots", "gradient"],
    "texture_shade_percent": [80, 92],
    "texture_period": [12, 48],
    "questions": {
        "name_one": ["What is this?", "What is shown here?", "Which object is this?", "What is that?"],
        "name_all": ["What is in the picture?", "What do you see?", "What can you see in the picture?",
                     "Which objects are in the picture?", "What does the picture show?"],
        "where": ["Where is the {x}?", "Where in the picture is the {x}?", "In which part of the picture is the {x}?"],
        "what_relation": ["What is {relation} the {y}?", "Which object is {relation} the {y}?",
                          "What do you see {relation} the {y}?"],
        "relation": ["Where is the {x} relative to the {y}?", "Where is the {x} compared with the {y}?"],
        "is_relation": ["Is the {x} {relation} the {y}?"],
        "what_cell": ["What is {cell}?", "Which object is {cell}?", "What do you see {cell}?"],
        "count": ["How many {xs} are there?", "How many {xs} are in the picture?", "How many {xs} do you see?",
                  "Count the {xs}."],
        "total": ["How many objects are there?", "How many things are in the picture?"],
        "background": ["What colour is the background?", "What color is the background?",
                       "Which colour is the background?", "What is the colour of the background?"],
        "presence": ["Is there {a} {x} in the picture?", "Is there {a} {x}?", "Do you see {a} {x}?",
                     "Can you see {a} {x}?", "Does the picture show {a} {x}?"],
        "bigger": ["Which is bigger, the {x} or the {y}?", "Which is larger, the {x} or the {y}?"],
        "smaller": ["Which is smaller, the {x} or the {y}?"],
        "describe": ["Describe the picture.", "Describe the picture in a sentence.", "Tell me about the picture.",
                     "What is going on in the picture?", "Describe what you see."],
    },
    "tasks": {"name": 600, "position": 600, "count": 600, "background": 600, "presence": 600, "absent": 600},
    "heldout_pairs": {"name": 200, "position": 200, "presence": 100, "absent": 100},
    "second_rendering": {"name": 600},
}

if __name__ == "__main__":
    path = pathlib.Path(__file__).resolve().parent.parent.parent / "models/mini/eval/eval.json"
    path.write_text(json.dumps(SPEC, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(path.stat().st_size, "bytes")
