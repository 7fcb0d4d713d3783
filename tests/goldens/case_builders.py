"""How the reference makes tiny random models and what they answer; make_cases.py says which."""
import json
import os
import sys

import torch
import transformers as T
from safetensors.torch import load_file, save_file

torch.set_grad_enabled(False)
OUT, SEED = sys.argv[1], int(sys.argv[2])
CASES = {}


def case(name):
    def add(make):
        CASES[name] = make
        return make
    return add


def randomize(model, g):
    """Norms that are not one and biases that are not zero, so that a mistake shows; every value and buffer exact in BF16."""
    for p in model.parameters():
        fan = p[0].numel() if p.dim() > 2 else p.shape[-1] if p.dim() else 1
        if p.dim() <= 1:
            p.add_(torch.randn(p.shape, generator=g) * 0.1)
        else:
            p.copy_(torch.randn(p.shape, generator=g) * fan ** -0.5)
    for p in list(model.parameters()) + [b for b in model.buffers() if b.is_floating_point()]:
        p.copy_(p.bfloat16().float())
    return model.eval()


def emit(name, model, ins, outs, note="", save=None):
    folder = os.path.join(OUT, name)
    os.makedirs(folder, exist_ok=True)
    (save or (lambda m, d: m.save_pretrained(d)))(model, folder)
    tensors = {"in." + k: v.contiguous().clone() for k, v in ins.items()}
    tensors |= {"out." + k: v.contiguous().clone() for k, v in outs.items()}
    save_file(tensors, os.path.join(folder, "io.safetensors"))
    meta = {"case": name, "seed": SEED, "class": type(model).__name__, "transformers": T.__version__, "torch": torch.__version__, "note": note}
    json.dump(meta, open(os.path.join(folder, "meta.json"), "w"), indent=1)


def ids(g, rows, columns, vocabulary, low=5):
    return torch.randint(low, vocabulary, (rows, columns), generator=g)


def pad(x, how):
    """A mask of row-wise different padding, and ids with 0 there."""
    if how is None:
        return x, None
    mask = torch.ones_like(x)
    n = x.shape[1]
    if how == "left":
        mask[-1, :n // 3] = 0
    elif how == "left0":
        mask[0, :n // 4] = 0
    elif how == "right":
        mask[-1, -n // 3:] = 0
    else:  # holes
        mask[-1, 2:4] = 0
        mask[-1, n - 2] = 0
    return x * mask, mask


GREEDY = dict(do_sample=False, eos_token_id=None, pad_token_id=0)


def small(**k):
    return dict(vocab_size=131, hidden_size=32, intermediate_size=72, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4,
                max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=0) | k


def decoder(name, cls, config, length=17, new=20, padding=None, rows=2, exact=False, save=None, **k):
    @case(name)
    def make(g):
        c = config(**small(**k)) if config is not T.OPTConfig else config(**k)
        m = cls(c)
        m = randomize(m, g) if not exact else unrounded(m, g)
        x, mask = pad(ids(g, rows, length, c.vocab_size), padding)
        kw = {} if mask is None else {"attention_mask": mask}
        o = m(input_ids=x, output_hidden_states=True, **kw)
        ins = {"input_ids": x} | kw
        first = {n: v[:1] for n, v in kw.items()}
        outs = {"logits": o.logits, "last_hidden": o.hidden_states[-1], "hidden_1": o.hidden_states[1], "hidden_0": o.hidden_states[0]}
        if new:
            outs["greedy"] = m.generate(x[:1], max_new_tokens=new, **first, **GREEDY)
        emit(name, m, ins, outs, json.dumps(k, default=str), save)


def unrounded(m, g):
    kept = {n: b.clone() for n, b in m.named_buffers()}
    m = randomize(m, g)
    for n, b in m.named_buffers():
        b.copy_(kept[n])
    return m


def llama(name, **k):
    decoder(name, T.LlamaForCausalLM, T.LlamaConfig, **k)


def rope(name, cls=llama, **k):
    extra = {n: k.pop(n) for n in ["length", "new", "max_position_embeddings", "exact", "padding"] if n in k}
    theta = k.pop("rope_theta", 10000.0)
    cls("rope_" + name, rope_parameters={"rope_theta": theta} | k, hidden_size=48, num_attention_heads=2, num_key_value_heads=1, **extra)


def mistral(name, **k):
    decoder(name, T.MistralForCausalLM, T.MistralConfig, **k)


def qwen2(name, **k):
    decoder(name, T.Qwen2ForCausalLM, T.Qwen2Config, **k)


def opt(name, length=17, **k):
    base = dict(vocab_size=131, hidden_size=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=96, word_embed_proj_dim=32)
    decoder(name, T.OPTForCausalLM, T.OPTConfig, length=length, **(base | k))


def sharded(m, d):
    m.save_pretrained(d, max_shard_size="20KB")


def halved(t):
    def save(m, d):
        m.save_pretrained(d)
        path = os.path.join(d, "model.safetensors")
        save_file({k: v.to(t) for k, v in load_file(path).items()}, path, {"format": "pt"})
    return save


def pickled(m, d):
    m.config.save_pretrained(d)
    m.generation_config.save_pretrained(d)
    torch.save(m.state_dict(), os.path.join(d, "pytorch_model.bin"))


def t5_config(**k):
    return T.T5Config(**(dict(vocab_size=131, d_model=32, d_kv=8, d_ff=56, num_layers=2, num_heads=4, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1) | k))


def t5(name, length=21, padding="right", decoder_mask=False, cache=True, **k):
    @case(name)
    def make(g):
        c = t5_config(**k)
        m = randomize(T.T5ForConditionalGeneration(c), g)
        x, mask = pad(ids(g, 2, length, c.vocab_size), padding)
        y = ids(g, 2, 9, c.vocab_size)
        kw = {} if mask is None else {"attention_mask": mask}
        first = {n: v[:1] for n, v in kw.items()}
        ins = {"input_ids": x, "decoder_input_ids": y} | kw
        if decoder_mask:
            d = torch.ones_like(y)
            d[1, 6:] = 0
            kw["decoder_attention_mask"] = ins["decoder_attention_mask"] = d
        o = m(input_ids=x, decoder_input_ids=y, output_hidden_states=True, use_cache=cache, **kw)
        gen = m.generate(input_ids=x[:1], max_new_tokens=20, do_sample=False, eos_token_id=None, use_cache=cache, **first)
        emit(name, m, ins, {"logits": o.logits, "encoder": o.encoder_last_hidden_state, "last_hidden": o.decoder_hidden_states[-1], "hidden_1": o.decoder_hidden_states[1], "greedy": gen}, json.dumps(k))


def vision(name, size=42, rows=2, **k):
    @case(name)
    def make(g):
        c = T.CLIPVisionConfig(**(dict(hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4, image_size=size, patch_size=14) | k))
        m = randomize(T.CLIPVisionModel(c), g)
        x = torch.randn(rows, c.num_channels, size, size, generator=g)
        o = m(pixel_values=x, output_hidden_states=True)
        emit(name, m, {"pixel_values": x}, {"last_hidden": o.last_hidden_state, "penultimate": o.hidden_states[-2], "pooled": o.pooler_output, "hidden_0": o.hidden_states[0]}, json.dumps(k))


def text(name, cls=T.CLIPTextModel, mask=False, legacy=False, ends=(9, 17, 18), **k):
    @case(name)
    def make(g):
        c = T.CLIPTextConfig(**(dict(vocab_size=131, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4, max_position_embeddings=24, eos_token_id=2 if legacy else 130, bos_token_id=129) | k))
        m = randomize(cls(c), g)
        x = ids(g, 3, 19, 129)
        x[:, 0] = 129
        for row, end in enumerate(ends):
            x[row, end:] = 130
        kw = {}
        if mask:
            kw["attention_mask"] = torch.ones_like(x)
            kw["attention_mask"][0, 10:] = 0
            kw["attention_mask"][1, 18:] = 0
        o = m(input_ids=x, output_hidden_states=True, **kw)
        outs = {"last_hidden": o.last_hidden_state, "penultimate": o.hidden_states[-2], "hidden_1": o.hidden_states[1]}
        outs["text_embeds" if cls is not T.CLIPTextModel else "pooled"] = o.text_embeds if cls is not T.CLIPTextModel else o.pooler_output
        emit(name, m, {"input_ids": x} | kw, outs, json.dumps(k))


def llava(name, text=T.LlamaConfig, per=9, pictures=(1, 1), padding=None, size=42, gap=2, start=3, vision=None, **k):
    @case(name)
    def make(g):
        v = T.CLIPVisionConfig(**(dict(hidden_size=24, intermediate_size=48, num_hidden_layers=4, num_attention_heads=4, image_size=size, patch_size=14) | (vision or {})))
        extra = k.pop("text_options", {})
        c = T.LlavaConfig(vision_config=v, text_config=text(**small(**extra)), image_token_index=130, **k)
        m = randomize(T.LlavaForConditionalGeneration(c), g)
        x = torch.randn(sum(pictures), 3, size, size, generator=g)
        rows = []
        for n in pictures:
            rows.append(torch.cat([ids(g, 1, start, 130)] + [torch.cat([torch.full((1, per), 130), ids(g, 1, gap, 130)], 1) for _ in range(n)] + [ids(g, 1, 2, 130)], 1))
        width = max(r.shape[1] for r in rows)
        i = torch.zeros(len(rows), width, dtype=torch.long)
        mask = torch.zeros_like(i)
        for at, r in enumerate(rows):
            i[at, width - r.shape[1]:], mask[at, width - r.shape[1]:] = r[0], 1
        kw = {} if mask.all() else {"attention_mask": mask}
        o = m(input_ids=i, pixel_values=x, **kw)
        first = {n: v[:1] for n, v in kw.items()}
        seen = {"pixel_values": x[:pictures[0]]} if pictures[0] else {}
        gen = m.generate(input_ids=i[:1], **seen, max_new_tokens=16, **first, **GREEDY)
        f = m.model.get_image_features(pixel_values=x)
        f = getattr(f, "pooler_output", f)
        f = torch.stack(list(f)) if isinstance(f, (list, tuple)) else f
        emit(name, m, {"input_ids": i, "pixel_values": x} | kw, {"logits": o.logits, "image_features": f.reshape(len(x), per, -1), "greedy": gen}, json.dumps(k))


def blip(name, cls="Blip2", text=None, queries=5, words=None, frames=None, padding=None, qpadding=None, shift=0, vision=None, qformer=None, **k):
    @case(name)
    def make(g):
        t = text() if text else T.OPTConfig(vocab_size=131, hidden_size=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=96, word_embed_proj_dim=32)
        v = dict(hidden_size=28, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, image_size=28, patch_size=14, qkv_bias=True) | (vision or {})
        q = dict(vocab_size=131, hidden_size=24, num_hidden_layers=3, num_attention_heads=4, intermediate_size=40, cross_attention_frequency=2, encoder_hidden_size=v["hidden_size"], max_position_embeddings=32) | (qformer or {})
        token = dict(video_token_index=130) if frames else dict(image_token_index=130)
        c = getattr(T, cls + "Config")(vision_config=getattr(T, cls + "VisionConfig")(**v).to_dict(), qformer_config=getattr(T, cls + "QFormerConfig")(**q).to_dict(),
                                       text_config=t.to_dict(), num_query_tokens=queries, **token, **k)
        m = randomize(getattr(T, cls + "ForConditionalGeneration")(c), g)
        size = v["image_size"]
        x = torch.randn(2, *([frames] if frames else []), 3, size, size, generator=g)
        i, mask = pad(ids(g, 2, 7, 130), padding)
        mask = torch.ones_like(i) if mask is None else mask
        n = queries * (frames or 1)
        i = torch.cat([torch.full((2, n), 130), i], 1)
        mask = torch.cat([torch.ones(2, n, dtype=torch.long), mask], 1)
        if shift:  # text before the pictures, and padding on the left of the second row
            i, mask = torch.cat([ids(g, 2, shift, 130), i], 1), torch.cat([torch.ones(2, shift, dtype=torch.long), mask], 1)
            i[1, :2], mask[1, :2] = 0, 0
        ins, kw = {"pixel_values": x, "input_ids": i}, {}
        if padding or shift:
            ins["attention_mask"] = mask
        if words:
            w, wmask = pad(ids(g, 2, words, 130), qpadding)
            kw = {"qformer_input_ids": w, "qformer_attention_mask": torch.ones_like(w) if wmask is None else wmask}
            ins["qformer_input_ids"] = w
            if qpadding:
                ins["qformer_attention_mask"] = wmask
        d = {}
        if t.is_encoder_decoder:
            d["decoder_input_ids"] = ins["decoder_input_ids"] = ids(g, 2, 6, 130)
        o = m(pixel_values=x, input_ids=i, attention_mask=mask, **kw, **d)
        gen = m.generate(pixel_values=x[:1], input_ids=i[:1], attention_mask=mask[:1], **{n: a[:1] for n, a in kw.items()}, max_new_tokens=14, **GREEDY)
        outs = {"logits": o.logits, "qformer": o.qformer_outputs[0], "greedy": gen}
        if not frames:
            outs["vision"] = o.vision_outputs[0]
        emit(name, m, ins, outs, json.dumps([v, q]))
