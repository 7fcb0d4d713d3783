"""Writes models/mini's Hugging Face files from a training state: BF16 weights, configuration, processor, template."""
import argparse
import json
import pathlib
import struct

import torch

from model import CONFIG, MEAN, STD, Mini, hugging_face
from scenes import ROOT, World
from tokenizer import BOS, EOS, IMAGE, PAD, SPECIAL

TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'user' -%}"
    "{{- 'USER: ' -}}"
    "{%- if message['content'] is string -%}"
    "{{- message['content'] + ' ' -}}"
    "{%- else -%}"
    "{%- for part in message['content'] if part['type'] == 'image' -%}{{- '<image>\\n' -}}{%- endfor -%}"
    "{%- for part in message['content'] if part['type'] == 'text' -%}{{- part['text'] + ' ' -}}{%- endfor -%}"
    "{%- endif -%}"
    "{%- elif message['role'] == 'assistant' -%}"
    "{{- 'ASSISTANT: ' -}}"
    "{%- if message['content'] is string -%}"
    "{{- message['content'] -}}"
    "{%- else -%}"
    "{%- for part in message['content'] if part['type'] == 'text' -%}{{- part['text'] -}}{%- endfor -%}"
    "{%- endif -%}"
    "{{- '</s>' -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- 'ASSISTANT:' -}}{%- endif -%}")


def safetensors(path, tensors):
    """BF16 tensors in the safetensors layout: the header's length, the header, the data in the header's order."""
    header, at, parts = {"__metadata__": {"format": "pt"}}, 0, []
    for name in sorted(tensors):
        raw = tensors[name].to(torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes()
        header[name] = {"dtype": "BF16", "shape": list(tensors[name].shape), "data_offsets": [at, at + len(raw)]}
        parts.append(raw)
        at += len(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))


def configuration():
    c = CONFIG
    return {
        "architectures": ["LlavaForConditionalGeneration"], "model_type": "llava", "dtype": "bfloat16",
        "image_seq_length": (c["image"] // c["patch"]) ** 2, "image_token_index": IMAGE,
        "multimodal_projector_bias": True, "projector_hidden_act": "gelu", "tie_word_embeddings": False,
        "vision_feature_layer": -2, "vision_feature_select_strategy": "default",
        "bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD,
        "text_config": {
            "model_type": "llama", "vocab_size": c["vocabulary"], "hidden_size": c["width"],
            "intermediate_size": c["mlp"], "num_hidden_layers": c["layers"], "num_attention_heads": c["heads"],
            "num_key_value_heads": c["heads"], "head_dim": c["width"] // c["heads"], "hidden_act": "silu",
            "max_position_embeddings": c["positions"], "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
            "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}, "attention_bias": False,
            "mlp_bias": False, "attention_dropout": 0.0, "tie_word_embeddings": False,
            "bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD},
        "vision_config": {
            "model_type": "clip_vision_model", "hidden_size": c["vision_width"], "intermediate_size": c["vision_mlp"],
            "num_hidden_layers": c["vision_layers"], "num_attention_heads": c["vision_heads"], "num_channels": 3,
            "image_size": c["image"], "patch_size": c["patch"], "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
            "attention_dropout": 0.0, "projection_dim": c["vision_width"]}}


def files():
    c = CONFIG
    side = {"height": c["image"], "width": c["image"]}
    return {
        "config.json": configuration(),
        "generation_config.json": {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD, "do_sample": False,
                                   "max_new_tokens": 80},
        "preprocessor_config.json": {
            "image_processor_type": "CLIPImageProcessor", "processor_class": "LlavaProcessor", "do_resize": True,
            "size": {"shortest_edge": c["image"]}, "resample": 3, "do_center_crop": True, "crop_size": side,
            "do_rescale": True, "rescale_factor": 0.00392156862745098, "do_normalize": True, "image_mean": MEAN,
            "image_std": STD, "do_convert_rgb": True},
        "processor_config.json": {
            "processor_class": "LlavaProcessor", "image_token": "<image>", "patch_size": c["patch"],
            "num_additional_image_tokens": 1, "vision_feature_select_strategy": "default"},
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast", "processor_class": "LlavaProcessor", "bos_token": "<s>",
            "eos_token": "</s>", "pad_token": "<pad>", "image_token": "<image>", "padding_side": "left",
            "clean_up_tokenization_spaces": False, "model_max_length": c["positions"],
            "added_tokens_decoder": {str(i): {"content": t, "lstrip": False, "normalized": False, "rstrip": False,
                                              "single_word": False, "special": True} for i, t in enumerate(SPECIAL)}}}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("state", type=pathlib.Path, help="train.py's state.pt")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models/mini")
    args = parser.parse_args()
    for name, content in files().items():
        (args.model / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    (args.model / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    model = Mini(CONFIG, len(World(args.model / "eval").kinds))
    state = torch.load(args.state, map_location="cpu", weights_only=False)["model"]
    model.load_state_dict({k.removeprefix("_orig_mod."): v for k, v in state.items()})
    safetensors(args.model / "model.safetensors", hugging_face(model))
    print((args.model / "model.safetensors").stat().st_size, "bytes")


if __name__ == "__main__":
    main()
