"""Makes test/fixtures/opt-*: tiny random OPT checkpoints, and what transformers computes with them in float32.

    python scripts/make-opt-fixtures.py        (needs torch, transformers, safetensors; run by hand, its output is committed)

Each folder holds config.json, model.safetensors, and expected.safetensors with the token ids [sequences, seqlen], the logits, each
block's output and the inputs of each block's linear layers, one row a token.
"""
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import OPTConfig, OPTForCausalLM

FIXTURES = Path(__file__).parent.parent / "test" / "fixtures"
SIZES = dict(vocab_size=90, hidden_size=8, ffn_dim=24, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=16,
             word_embed_proj_dim=8, pad_token_id=1, bos_token_id=2, eos_token_id=2)
TAPS = {"self_attn.q_proj": "attn_in", "self_attn.out_proj": "attn_out", "fc1": "mlp_in", "fc2": "mlp_mid"}
SEQUENCES, SEQLEN = 2, 10

VARIANTS = {
    "pre-norm": dict(dtype=torch.float32),
    "post-norm": dict(dtype=torch.float16, do_layer_norm_before=False, word_embed_proj_dim=6),
    "untied": dict(dtype=torch.bfloat16, tie_word_embeddings=False, enable_bias=False),
    "bare": dict(dtype=torch.float32, layer_norm_elementwise_affine=False, _remove_final_layer_norm=True, prefix=""),
}


def randomize(model, dtype):
    """Values of a trained model's size, as the checkpoint will store them: a fresh model's layers hardly do anything."""
    for name, p in model.named_parameters():
        noise = torch.randn_like(p) * (0.1 if p.dim() == 1 else 0.4)
        p.copy_((1 + noise if "layer_norm.weight" in name else noise).to(dtype).float())


def expected(model, ids):
    out = {"tokens": ids}

    def keep(name):
        return lambda value: out.__setitem__(name, value.reshape(-1, value.shape[-1]).clone())

    for b, layer in enumerate(model.model.decoder.layers):
        for path, tap in TAPS.items():
            layer.get_submodule(path).register_forward_pre_hook(lambda _, args, put=keep(f"{b}.{tap}"): put(args[0]))
        layer.register_forward_hook(lambda _, args, result, put=keep(f"{b}.output"): put(result))
    keep("logits")(model(ids).logits)
    return out


def make(name, dtype, prefix="model.", **options):
    torch.manual_seed(1)
    config = OPTConfig(**SIZES | options)
    model = OPTForCausalLM(config).eval().float()
    randomize(model, dtype)
    folder = FIXTURES / f"opt-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stored = {k.removeprefix("model.") if not prefix else k: v.to(dtype).contiguous() for k, v in model.state_dict().items()}
    if config.tie_word_embeddings:
        del stored["lm_head.weight"]
    save_file(stored, folder / "model.safetensors")
    save_file(expected(model, torch.randint(0, SIZES["vocab_size"], (SEQUENCES, SEQLEN))), folder / "expected.safetensors")
    (folder / "config.json").write_text(json.dumps(config.to_diff_dict() | {"model_type": "opt"}, indent=1, default=str) + "\n")


torch.set_grad_enabled(False)
for name, options in VARIANTS.items():
    make(name, **options)
