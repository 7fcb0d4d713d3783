"""The network of LLaVA-1.5 (CLIP tower, two-layer projector, LLaMA) as training runs it, and its Hugging Face names.

Same arithmetic as transformers' LlavaForConditionalGeneration; fused weights; several questions a picture in one pass.
"""
import json
import math
import struct

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

CONFIG = {
    "image": 144, "patch": 12, "vision_width": 256, "vision_heads": 8, "vision_layers": 6, "vision_mlp": 512,
    "width": 256, "heads": 8, "layers": 4, "mlp": 512, "vocabulary": 1536, "positions": 1024,
}
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def attention(q, k, v, mask=None):
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(-1) @ v


def split_heads(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2) if hasattr(x, "unflatten") else x


class VisionLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        d = c["vision_width"]
        self.heads = c["vision_heads"]
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(d, eps=1e-5), nn.LayerNorm(d, eps=1e-5)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.fc1, self.fc2 = nn.Linear(d, c["vision_mlp"]), nn.Linear(c["vision_mlp"], d)

    def forward(self, x):
        q, k, v = (split_heads(t, self.heads) for t in self.qkv(self.layer_norm1(x)).chunk(3, -1))
        x = x + self.out(attention(q, k, v).transpose(1, 2).flatten(2))
        h = self.fc1(self.layer_norm2(x))
        return x + self.fc2(h * torch.sigmoid(1.702 * h))


class RmsNorm(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d))

    def forward(self, x):
        h = x.float()
        return self.weight * (h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-5))


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat([-b, a], -1) * sin


class LanguageLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        d = c["width"]
        self.heads = c["heads"]
        self.input_layernorm, self.post_attention_layernorm = RmsNorm(d), RmsNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d, bias=False)
        self.gate_up, self.down = nn.Linear(d, 2 * c["mlp"], bias=False), nn.Linear(c["mlp"], d, bias=False)

    def forward(self, x, cos, sin, mask):
        q, k, v = (split_heads(t, self.heads) for t in self.qkv(self.input_layernorm(x)).chunk(3, -1))
        q, k = rotate(q, cos, sin).to(v.dtype), rotate(k, cos, sin).to(v.dtype)
        x = x + self.out(attention(q, k, v, mask).transpose(1, 2).flatten(2))
        gate, up = self.gate_up(self.post_attention_layernorm(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Mini(nn.Module):
    def __init__(self, c, kinds):
        super().__init__()
        self.c = c
        d, w = c["vision_width"], c["width"]
        tokens = (c["image"] // c["patch"]) ** 2
        self.patch = nn.Linear(3 * c["patch"] ** 2, d, bias=False)
        self.cls = nn.Parameter(torch.randn(d) * 0.02)
        self.place = nn.Parameter(torch.randn(tokens + 1, d) * 0.02)
        self.pre = nn.LayerNorm(d, eps=1e-5)
        # The last layer is CLIP's own; LLaVA reads the features before it (vision_feature_layer -2), so it never runs.
        self.tower = nn.ModuleList(VisionLayer(c) for _ in range(c["vision_layers"] - 1))
        self.spot = nn.Sequential(nn.LayerNorm(d), nn.Linear(d, kinds + 1))  # training only: what each patch shows
        self.linear_1, self.linear_2 = nn.Linear(d, w), nn.Linear(w, w)
        self.embed = nn.Embedding(c["vocabulary"], w)
        self.layers = nn.ModuleList(LanguageLayer(c) for _ in range(c["layers"]))
        self.norm = RmsNorm(w)
        self.head = nn.Linear(w, c["vocabulary"], bias=False)
        inverse = 10000.0 ** -(torch.arange(0, w // c["heads"], 2).float() / (w // c["heads"]))
        angle = torch.arange(c["positions"]).float()[:, None] * inverse[None]
        angle = torch.cat([angle, angle], -1)
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None] * 255, persistent=False)
        self.register_buffer("std", torch.tensor(STD)[:, None, None] * 255, persistent=False)
        self.reset()

    def reset(self):
        for name, p in self.named_parameters():
            if p.ndim == 2 and name != "place":
                nn.init.normal_(p, std=0.02 if "embed" in name else 0.6 / math.sqrt(p.shape[1]))
            if name.endswith(("out.weight", "fc2.weight", "down.weight")):
                p.data.mul_(0.3)
            if name.endswith("bias"):
                nn.init.zeros_(p)

    def see(self, pixels):
        """Pixels 0..255 [n,3,image,image] to CLIP's features before the last layer, without the class token."""
        c = self.c
        side, p = c["image"] // c["patch"], c["patch"]
        x = (pixels.float() - self.mean) / self.std
        x = x.view(-1, 3, side, p, side, p).permute(0, 2, 4, 1, 3, 5).reshape(-1, side * side, 3 * p * p)
        x = torch.cat([self.cls.expand(len(x), 1, -1), self.patch(x).float()], 1) + self.place
        x = self.pre(x)
        for layer in self.tower:
            x = layer(x)
        return x[:, 1:]

    def project(self, features):
        return self.linear_2(F.gelu(self.linear_1(features)))

    def speak(self, x, positions, mask):
        cos, sin = self.cos[positions], self.sin[positions]
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        return self.norm(x)

    def forward(self, pixels, prefix, ids, positions, mask):
        """Features for the spot head, and logits of the packed slots."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.cls.requires_grad):
            features = self.see(pixels)
        n = len(pixels)
        x = torch.cat([self.embed(prefix).expand(n, -1, -1), self.project(features).float(), self.embed(ids)], 1)
        x = self.speak(x, positions, mask)
        return self.spot(features), self.head(x[:, -ids.shape[1]:])

    def forward_text(self, ids, positions, mask):
        return self.head(self.speak(self.embed(ids), positions, mask))


def packed_layout(prefix, long, short, shorts, device="cpu"):
    """Positions and mask of a row: each slot sees the prefix and itself."""
    size = prefix + long + short * shorts
    slot = torch.zeros(size, dtype=torch.long)
    positions = torch.arange(size)
    for i, (at, length) in enumerate([(prefix, long)] + [(prefix + long + j * short, short) for j in range(shorts)]):
        slot[at:at + length] = i + 1
        positions[at:at + length] = torch.arange(prefix, prefix + length)
    index = torch.arange(size)
    causal = index[:, None] >= index[None]
    mask = causal & ((slot[None] == 0) | (slot[None] == slot[:, None]))
    return positions.to(device), mask.to(device)


def hugging_face(model):
    """The weights by the names that transformers gives a saved LlavaForConditionalGeneration."""
    c, s = model.c, {k: v.detach().float().cpu() for k, v in model.state_dict().items()}
    d, p, w = c["vision_width"], c["patch"], c["width"]
    out = {}
    tower = "vision_tower."
    out[tower + "embeddings.class_embedding"] = s["cls"]
    out[tower + "embeddings.patch_embedding.weight"] = s["patch.weight"].view(d, 3, p, p)
    out[tower + "embeddings.position_embedding.weight"] = s["place"]
    for n in ("weight", "bias"):
        out[f"{tower}pre_layrnorm.{n}"] = s[f"pre.{n}"]
        for i in range(c["vision_layers"]):
            # The unused last layer is written as the identity's weights: zero projections.
            at, last = f"{tower}encoder.layers.{i}.", i == c["vision_layers"] - 1
            for norm in ("layer_norm1", "layer_norm2"):
                one = torch.ones(d) if n == "weight" else torch.zeros(d)
                out[f"{at}{norm}.{n}"] = one if last else s[f"tower.{i}.{norm}.{n}"]
            shapes = {"qkv": (3 * d, d), "out": (d, d), "fc1": (c["vision_mlp"], d), "fc2": (d, c["vision_mlp"])}
            part = {k: torch.zeros(v if n == "weight" else v[:1]) if last else s[f"tower.{i}.{k}.{n}"]
                    for k, v in shapes.items()}
            for name, t in zip("qkv", part["qkv"].chunk(3)):
                out[f"{at}self_attn.{name}_proj.{n}"] = t
            out[f"{at}self_attn.out_proj.{n}"] = part["out"]
            out[f"{at}mlp.fc1.{n}"], out[f"{at}mlp.fc2.{n}"] = part["fc1"], part["fc2"]
        out[f"{tower}post_layernorm.{n}"] = torch.ones(d) if n == "weight" else torch.zeros(d)
        out[f"multi_modal_projector.linear_1.{n}"] = s[f"linear_1.{n}"]
        out[f"multi_modal_projector.linear_2.{n}"] = s[f"linear_2.{n}"]
    lm = "language_model.model."
    out[lm + "embed_tokens.weight"] = s["embed.weight"]
    for i in range(c["layers"]):
        at, of = f"{lm}layers.{i}.", f"layers.{i}."
        for name, t in zip("qkv", s[of + "qkv.weight"].chunk(3)):
            out[f"{at}self_attn.{name}_proj.weight"] = t
        out[at + "self_attn.o_proj.weight"] = s[of + "out.weight"]
        gate, up = s[of + "gate_up.weight"].chunk(2)
        out[at + "mlp.gate_proj.weight"], out[at + "mlp.up_proj.weight"] = gate, up
        out[at + "mlp.down_proj.weight"] = s[of + "down.weight"]
        for norm in ("input_layernorm", "post_attention_layernorm"):
            out[f"{at}{norm}.weight"] = s[f"{of}{norm}.weight"]
    out[lm + "norm.weight"] = s["norm.weight"]
    out["language_model.lm_head.weight"] = s["head.weight"]
    return {k: v.contiguous() for k, v in out.items()}


def read_safetensors(path):
    """A file of BF16 tensors as F32 tensors by name."""
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header, raw = json.loads(file.read(size)), file.read()
    out = {}
    for name, entry in header.items():
        if name != "__metadata__":
            low, high = entry["data_offsets"]
            bits = np.frombuffer(raw[low:high], np.uint16).astype(np.uint32) << 16
            out[name] = torch.from_numpy(bits.view(np.float32).reshape(entry["shape"]).copy())
    return out


def from_hugging_face(model, tensors):
    """The inverse of hugging_face: fills the model; what only training uses stays as it is."""
    state, t = model.state_dict(), tensors
    tower, lm, projector = "vision_tower.", "language_model.model.", "multi_modal_projector."
    state["cls"] = t[tower + "embeddings.class_embedding"]
    state["patch.weight"] = t[tower + "embeddings.patch_embedding.weight"].flatten(1)
    state["place"] = t[tower + "embeddings.position_embedding.weight"]
    for n in ("weight", "bias"):
        state[f"pre.{n}"] = t[f"{tower}pre_layrnorm.{n}"]
        for i in range(len(model.tower)):
            at, to = f"{tower}encoder.layers.{i}.", f"tower.{i}."
            state[f"{to}qkv.{n}"] = torch.cat([t[f"{at}self_attn.{x}_proj.{n}"] for x in "qkv"])
            state[f"{to}out.{n}"] = t[f"{at}self_attn.out_proj.{n}"]
            for x in ("layer_norm1", "layer_norm2"):
                state[f"{to}{x}.{n}"] = t[f"{at}{x}.{n}"]
            for x in ("fc1", "fc2"):
                state[f"{to}{x}.{n}"] = t[f"{at}mlp.{x}.{n}"]
        for x in ("linear_1", "linear_2"):
            state[f"{x}.{n}"] = t[f"{projector}{x}.{n}"]
    state["embed.weight"], state["norm.weight"] = t[lm + "embed_tokens.weight"], t[lm + "norm.weight"]
    state["head.weight"] = t["language_model.lm_head.weight"]
    for i in range(len(model.layers)):
        at, to = f"{lm}layers.{i}.", f"layers.{i}."
        state[to + "qkv.weight"] = torch.cat([t[f"{at}self_attn.{x}_proj.weight"] for x in "qkv"])
        state[to + "out.weight"] = t[at + "self_attn.o_proj.weight"]
        state[to + "gate_up.weight"] = torch.cat([t[f"{at}mlp.{x}_proj.weight"] for x in ("gate", "up")])
        state[to + "down.weight"] = t[at + "mlp.down_proj.weight"]
        for x in ("input_layernorm", "post_attention_layernorm"):
            state[f"{to}{x}.weight"] = t[f"{at}{x}.weight"]
    model.load_state_dict(state)
