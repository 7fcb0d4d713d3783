"""Cuts the sprites out of Noto Color Emoji's bitmap strike and writes them as small palette PNGs with their names.

Debian packages: fonts-noto-color-emoji, unicode-cldr-core, unicode-data, python3-fonttools, python3-pil.
Usage: python3 extract_sprites.py [--font F] [--annotations F] [--emoji-test F] [--out models/mini/eval]
"""
import argparse
import io
import json
import pathlib
import re
import xml.etree.ElementTree as ElementTree

from fontTools.ttLib import TTFont
from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
SIDE = 96  # pixels of a sprite's longer side; the shorter one is padded with transparency

CATEGORIES = [  # by emoji-test.txt subgroup; the first match wins
    ("animal", "animal"), ("plant", "plant"), ("food-marine", "animal"), ("food-fruit", "fruit"),
    ("food-vegetable", "vegetable"), ("food", "food"), ("drink", "drink"), ("place-building", "building"),
    ("place-religious", "building"), ("transport", "vehicle"), ("musical-instrument", "musical instrument"),
    ("clothing", "piece of clothing"), ("tool", "tool"),
]
THINGS = {"anchor", "traffic light", "parachute", "skateboard", "bomb", "gear", "magnet", "shield", "ladder", "backpack",
          "crown", "gem", "handbag", "lipstick", "ring", "beer mug", "wine glass", "teapot", "mushroom", "maple leaf",
          "avocado"}  # what their subgroup's word would misname


def read_kinds(path):
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            emoji, _, rest = line.partition(" ")
            name, _, plural = rest.partition(";")
            yield emoji, name.strip(), plural.strip()


def plural_of(name):
    if re.search(r"(s|x|ch|sh)$", name):
        return name + "es"
    if re.search(r"[^aeiou]y$", name):
        return name[:-1] + "ies"
    return name + "s"


def article_of(name):
    return "an" if re.match(r"[aeiou]|hour", name) and not name.startswith("uni") else "a"


def read_cldr(path):
    names, words = {}, {}
    for node in ElementTree.parse(path).iter("annotation"):
        if node.get("type") == "tts":
            names[node.get("cp")] = node.text
        words.setdefault(node.get("cp"), set()).update(re.split(r"[ |]+", node.text))
    return names, words


def read_categories(path):
    found, subgroup = {}, ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# subgroup:"):
            subgroup = line.split(":", 1)[1].strip()
        elif line and not line.startswith("#"):
            codes = [c for c in line.split(";")[0].split() if c != "FE0F"]
            if len(codes) == 1:
                match = [c for prefix, c in CATEGORIES if subgroup.startswith(prefix)]
                found[chr(int(codes[0], 16))] = match[0] if match else "thing"
    return found


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--font", default="/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
    args.add_argument("--annotations", default="/usr/share/unicode/cldr/common/annotations/en.xml")
    args.add_argument("--emoji-test", default="/usr/share/unicode/emoji/emoji-test.txt")
    args.add_argument("--kinds", default=HERE / "kinds.txt", type=pathlib.Path)
    args.add_argument("--out", default=HERE.parent.parent / "models/mini/eval", type=pathlib.Path)
    args = args.parse_args()

    font = TTFont(args.font)
    glyphs, strike = font.getBestCmap(), font["CBDT"].strikeData[0]
    cldr_names, cldr_words = read_cldr(args.annotations)
    categories = read_categories(pathlib.Path(args.emoji_test))
    folder = args.out / "sprites"
    folder.mkdir(parents=True, exist_ok=True)
    kinds = []
    for emoji, name, plural in read_kinds(args.kinds):
        known = cldr_words.get(emoji, set())
        if name != cldr_names.get(emoji) and not set(name.split()) <= known:
            print(f"warning: {emoji} '{name}' is not in the CLDR ({cldr_names.get(emoji)}: {sorted(known)})")
        glyph = strike[glyphs[ord(emoji)]]
        image = Image.open(io.BytesIO(glyph.imageData)).convert("RGBA")
        image = image.crop(image.getchannel("A").point(lambda a: 255 if a > 8 else 0).getbbox())
        side = max(image.size)
        square = Image.new("RGBA", (side, side))
        square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
        square = square.resize((SIDE, SIDE), Image.LANCZOS, reducing_gap=None)
        file = name.replace(" ", "-").lower() + ".png"
        square.quantize(192, method=Image.Quantize.FASTOCTREE).save(folder / file, optimize=True)
        category = categories.get(emoji, "thing")
        if name in THINGS:
            category = "thing"
        kinds.append({"name": name, "article": article_of(name), "plural": plural or plural_of(name),
                      "category": category, "codepoint": f"U+{ord(emoji):04X}", "file": f"sprites/{file}"})
    kinds.sort(key=lambda k: k["name"])
    if len({k["name"] for k in kinds}) != len(kinds):
        raise SystemExit("two kinds have one name")
    (args.out / "names.json").write_text(json.dumps(
        {"schema": 1, "side": SIDE, "kinds": kinds}, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    total = sum((args.out / k["file"]).stat().st_size for k in kinds)
    print(f"{len(kinds)} sprites, {total} bytes")


if __name__ == "__main__":
    main()
