"""What PyTorch does on the same GPU, with random bf16 weights of real sizes: one JSON object a line, {"key": ..., "values": [...]}.

usage: baselines.py SECTION...   device, prefill, decode, compiled, clip
"""
import json
import statistics
import sys
import time

import torch
import transformers

torch.set_grad_enabled(False)
GPU = "cuda"
TYPE = torch.bfloat16
LLAMA = transformers.LlamaConfig(
    vocab_size=32064, hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32, max_position_embeddings=4096)
CLIP = transformers.CLIPVisionConfig(
    hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16, image_size=336, patch_size=14)


def say(key, values):
    print(json.dumps({"key": key, "values": [round(value, 3) for value in values]}), flush=True)


def times(work, count, warm=2):
    """Seconds of each of `count` runs, the GPU's work included."""
    for _ in range(warm):
        work()
    result = []
    for _ in range(count):
        torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        result.append(time.perf_counter() - start)
    return result


def device():
    source = torch.empty(1 << 31, dtype=torch.uint8, device=GPU)
    target = torch.empty_like(source)
    say("copy_TBps", [2 * source.numel() / seconds / 1e12 for seconds in times(lambda: target.copy_(source), 10)])
    a, b = torch.randn(8192, 8192, device=GPU, dtype=TYPE), torch.randn(8192, 8192, device=GPU, dtype=TYPE)
    say("gemm_TFLOPs", [2 * 8192 ** 3 / seconds / 1e12 for seconds in times(lambda: a @ b, 10)])


def llama():
    torch.set_default_dtype(TYPE)
    try:
        with torch.device(GPU):
            return transformers.LlamaForCausalLM(LLAMA).eval()
    finally:
        torch.set_default_dtype(torch.float32)


def prompt(batch, length):
    return torch.randint(5, 32000, (batch, length), device=GPU)


def prefill(model):
    for batch in (1, 8):
        ids = prompt(batch, 1024)
        say(f"prefill.{batch}x1024.tok_s", [
            batch * 1024 / seconds for seconds in times(lambda: model(ids, logits_to_keep=1, use_cache=True), 3)])


def decode(model):
    """generate() as a user calls it; the prompt's time is taken off."""
    for batch in (1, 8, 32, 64):
        ids = prompt(batch, 640)

        def generate(count):
            model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, min_new_tokens=count, do_sample=False, pad_token_id=0)

        generate(3)
        first = min(times(lambda: generate(1), 2, warm=0))
        say(f"decode.eager.b{batch}.tok_s", [batch * 16 / (seconds - first) for seconds in times(lambda: generate(17), 1, warm=0)])


def compiled(model):
    """A static cache and a compiled step that replays CUDA graphs; tokens stay on the GPU."""
    def step(ids, position, cache):
        return model(ids, position_ids=position[None], cache_position=position, past_key_values=cache, use_cache=True).logits[:, -1:].argmax(-1)

    fast = torch.compile(step, mode="reduce-overhead", fullgraph=True, dynamic=False)
    for batch in (32, 1, 8, 64):  # each compiles anew: what matters most comes first
        cache = transformers.StaticCache(config=LLAMA, max_cache_len=768, max_batch_size=batch, device=GPU, dtype=TYPE)
        model(prompt(batch, 640), cache_position=torch.arange(640, device=GPU), past_key_values=cache, logits_to_keep=1)
        ids, position = prompt(batch, 1), torch.tensor([640], device=GPU)

        def run(count):
            nonlocal ids
            for _ in range(count):
                torch.compiler.cudagraph_mark_step_begin()
                ids = fast(ids, position, cache).clone()

        run(4)
        say(f"decode.b{batch}.tok_s", [batch * 32 / seconds for seconds in times(lambda: run(32), 3, warm=0)])
        del cache


def clip():
    torch.set_default_dtype(TYPE)
    with torch.device(GPU):
        model = transformers.CLIPVisionModel(CLIP).eval()
    torch.set_default_dtype(torch.float32)
    for batch in (1, 16):
        pixels = torch.randn(batch, 3, 336, 336, device=GPU, dtype=TYPE)
        say(f"clip.b{batch}.img_s", [batch / seconds for seconds in times(lambda: model(pixels), 8)])


def main(sections):
    model = None
    for name in sections:
        try:
            if name in ("prefill", "decode", "compiled"):
                model = model or llama()
                globals()[name](model)
            else:
                globals()[name]()
        except Exception as error:  # a baseline that fails must not take the others with it
            print(json.dumps({"key": name, "error": repr(error)[:300]}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
