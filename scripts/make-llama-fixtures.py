"""Makes test/fixtures/llama-*: tiny random LLaMA checkpoints, and what transformers computes with them in float32.

    python scripts/make-llama-fixtures.py        (needs torch, transformers, safetensors; run by hand, its output is committed)

Each folder holds config.json, model.safetensors, and expected.safetensors with the token ids [sequences, seqlen], the logits, each
block's output and the inputs of each block's linear layers, one row a token.
"""
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

FIXTURES = Path(__file__).parent.parent / "test" / "fixtures"
SIZES = dict(vocab_size=150, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
             max_position_embeddings=16, pad_token_id=0, bos_token_id=1, eos_token_id=2)
TAPS = {"self_attn.q_proj": "attn_in", "self_attn.o_proj": "attn_out", "mlp.gate_proj": "mlp_in", "mlp.down_proj": "mlp_mid"}
SEQUENCES, SEQLEN = 2, 10

VARIANTS = {
    "grouped": dict(dtype=torch.float32, num_key_value_heads=2, tie_word_embeddings=True),
    "biases": dict(dtype=torch.float16, attention_bias=True, mlp_bias=True, rope_theta=500000.0, rms_norm_eps=1e-5),
    "wide-heads": dict(dtype=torch.bfloat16, num_key_value_heads=1, head_dim=6),
}


def randomize(model, dtype):
    """Values of a trained model's size, as the checkpoint will store them: a fresh model's layers hardly do anything."""
    for name, p in model.named_parameters():
        noise = torch.randn_like(p) * (0.1 if p.dim() == 1 else 0.4)
        p.copy_((1 + noise if "norm.weight" in name else noise).to(dtype).float())


def expected(model, ids):
    out = {"tokens": ids}

    def keep(name):
        return lambda value: out.__setitem__(name, value.reshape(-1, value.shape[-1]).clone())

    for b, layer in enumerate(model.model.layers):
        for path, tap in TAPS.items():
            layer.get_submodule(path).register_forward_pre_hook(lambda _, args, put=keep(f"{b}.{tap}"): put(args[0]))
        layer.register_forward_hook(lambda _, args, result, put=keep(f"{b}.output"): put(result))
    keep("logits")(model(ids).logits)
    return out


def older(config, rope_theta):
    """As transformers wrote it before its version 5, which most checkpoints are of."""
    rest = {k: v for k, v in config.items() if k != "rope_parameters"}
    return rest | {"rope_theta": rope_theta, "rope_scaling": None}


def make(name, dtype, rope_theta=10000.0, **options):
    torch.manual_seed(1)
    config = LlamaConfig(**SIZES | options, rope_parameters={"rope_type": "default", "rope_theta": rope_theta})
    model = LlamaForCausalLM(config).eval().float()
    randomize(model, dtype)
    folder = FIXTURES / f"llama-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stored = {k: v.to(dtype).contiguous() for k, v in model.state_dict().items()}
    if config.tie_word_embeddings:
        del stored["lm_head.weight"]
    save_file(stored, folder / "model.safetensors")
    save_file(expected(model, torch.randint(0, SIZES["vocab_size"], (SEQUENCES, SEQLEN))), folder / "expected.safetensors")
    written = config.to_diff_dict() | SIZES | {"model_type": "llama"}
    written = older(written, rope_theta) if name == "biases" else written
    (folder / "config.json").write_text(json.dumps(written, indent=1, default=str) + "\n")


torch.set_grad_enabled(False)
for name, options in VARIANTS.items():
    make(name, **options)
