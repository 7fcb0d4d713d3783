"""Trains models/mini/tokenizer.json on the sentences of many drawn scenes. New tokens need new weights."""
from data import build_tokenizer
from model import CONFIG
from scenes import World

if __name__ == "__main__":
    world = World()
    build_tokenizer(world, world.folder.parent / "tokenizer.json", CONFIG["vocabulary"])
