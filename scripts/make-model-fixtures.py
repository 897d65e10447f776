"""Makes test/fixtures/models/*: tiny random checkpoints, and what transformers computes with them in float32.

    python scripts/make-model-fixtures.py [--out FOLDER] [NAME ...]     (needs torch, transformers, safetensors)

Run by hand, its output is committed; `npm run test:clients` makes it again in another folder and compares.

Each folder holds config.json, model.safetensors, and expected.safetensors with the token ids [sequences, seqlen], the logits, each
block's output and the inputs of each block's linear layers, one row a token.
"""
import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MinistralConfig,
    MistralConfig,
    OPTConfig,
    Qwen2Config,
    Qwen3Config,
)

FIXTURES = Path(__file__).parent.parent / "test" / "fixtures" / "models"
SEQUENCES, SEQLEN = 2, 10

OPT = dict(vocab_size=90, hidden_size=8, ffn_dim=24, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=16,
           word_embed_proj_dim=8, pad_token_id=1, bos_token_id=2, eos_token_id=2)
LLAMA = dict(vocab_size=150, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
             max_position_embeddings=16, pad_token_id=0, bos_token_id=1, eos_token_id=2,
             rope_parameters={"rope_type": "default", "rope_theta": 10000.0})
BLOOM = dict(vocab_size=150, hidden_size=8, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2, pad_token_id=3)
NEOX = dict(vocab_size=150, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
            max_position_embeddings=16, bos_token_id=0, eos_token_id=0)
GPT2 = dict(vocab_size=150, n_positions=16, n_embd=8, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0)


def neox_rope(part, theta=10000.0):
    return {"rope_type": "default", "rope_theta": theta, "partial_rotary_factor": part}


GEMMA = LLAMA | dict(num_key_value_heads=2, head_dim=6, query_pre_attn_scalar=6, sliding_window=4)
WIDE = LLAMA | dict(num_key_value_heads=1, head_dim=8, intermediate_size=20, tie_word_embeddings=True)
LONG = {"rope_type": "longrope", "rope_theta": 100.0, "short_factor": [1.0, 1.1, 1.25, 1.5], "long_factor": [1.2, 1.9, 2.5, 4.0]}


def rope(rope_type, theta=100.0, **parameters):
    return {"rope_parameters": {"rope_type": rope_type, "rope_theta": theta, **parameters}}


# Options of `make` beside those of the config: dtype, prefix (what tensors' names begin with), older (config.json as transformers
# wrote it before its version 5, which most checkpoints are of), buffers (of older checkpoints, which are no weights), model_type (what
# config.json says in place of the class's), spread (of the weights: with larger heads the scores of 0.4 are so large that the softmax
# magnifies float32's rounding).
VARIANTS = {
    "opt-pre-norm": (OPTConfig, OPT, dict(dtype=torch.float32)),
    "opt-post-norm": (OPTConfig, OPT, dict(dtype=torch.float16, do_layer_norm_before=False, word_embed_proj_dim=6)),
    "opt-untied": (OPTConfig, OPT, dict(dtype=torch.bfloat16, tie_word_embeddings=False, enable_bias=False, activation_function="gelu")),
    "opt-bare": (OPTConfig, OPT, dict(dtype=torch.float32, layer_norm_elementwise_affine=False, _remove_final_layer_norm=True,
                                      prefix="")),
    "llama-grouped": (LlamaConfig, LLAMA, dict(dtype=torch.float32, num_key_value_heads=2, tie_word_embeddings=True)),
    "llama-biases": (LlamaConfig, LLAMA, dict(dtype=torch.float16, attention_bias=True, mlp_bias=True, rms_norm_eps=1e-5, older=True,
                                              rope_parameters={"rope_type": "default", "rope_theta": 500000.0})),
    "llama-wide-heads": (LlamaConfig, LLAMA, dict(dtype=torch.bfloat16, num_key_value_heads=1, head_dim=6)),
    "llama-linear": (LlamaConfig, LLAMA, dict(dtype=torch.bfloat16, hidden_act="gelu", older=True, **rope("linear", factor=2.5))),
    "llama-llama3": (LlamaConfig, WIDE, dict(dtype=torch.bfloat16, spread=0.25, hidden_act="relu", **rope(
        "llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64))),
    "llama-longrope": (LlamaConfig, WIDE, dict(dtype=torch.bfloat16, spread=0.25,
                                               rope_parameters=LONG | {"original_max_position_embeddings": 3, "factor": 1.5})),
    "llama-yarn": (LlamaConfig, WIDE, dict(dtype=torch.float16, spread=0.25, hidden_act="gelu_new", **rope(
        "yarn", factor=4.0, original_max_position_embeddings=16, beta_fast=2.0, beta_slow=0.3))),
    "llama-proportional": (LlamaConfig, WIDE, dict(dtype=torch.bfloat16, spread=0.25, **rope(
        "proportional", factor=2.0, partial_rotary_factor=0.5))),
    "mistral-window": (MistralConfig, LLAMA, dict(dtype=torch.bfloat16, num_key_value_heads=2, head_dim=6, sliding_window=4)),
    "mistral-full": (MistralConfig, LLAMA, dict(dtype=torch.float16, num_key_value_heads=1, tie_word_embeddings=True, sliding_window=None,
                                                older=True, **rope("dynamic", factor=2.0))),
    "mistral-layers": (MinistralConfig, WIDE, dict(
        dtype=torch.bfloat16, spread=0.25, sliding_window=3, model_type="mistral", layer_types=["sliding_attention", "full_attention"],
        rope_parameters=LONG | {"original_max_position_embeddings": 12})),
    "qwen2-tied": (Qwen2Config, LLAMA, dict(dtype=torch.float16, num_key_value_heads=2, tie_word_embeddings=True)),
    "qwen2-windows": (Qwen2Config, LLAMA, dict(dtype=torch.bfloat16, num_key_value_heads=2, use_sliding_window=True, sliding_window=3,
                                               max_window_layers=1, older=True, **rope(
        "yarn", factor=2.0, original_max_position_embeddings=8, mscale=0.7, mscale_all_dim=1.3, truncate=False))),
    "qwen2-layers": (Qwen2Config, LLAMA, dict(
        dtype=torch.float32, num_key_value_heads=1, head_dim=2, tie_word_embeddings=True, use_sliding_window=True, sliding_window=4,
        layer_types=["sliding_attention", "full_attention"], hidden_act="gelu_fast")),
    "qwen3-tied": (Qwen3Config, WIDE, dict(dtype=torch.bfloat16, spread=0.25)),
    "qwen3-windows": (Qwen3Config, LLAMA, dict(dtype=torch.float16, num_key_value_heads=2, head_dim=6, attention_bias=True, older=True,
                                               use_sliding_window=True, sliding_window=3, max_window_layers=1)),
    "gemma2-capped": (Gemma2Config, GEMMA, dict(dtype=torch.float32, attn_logit_softcapping=2.0, final_logit_softcapping=3.0)),
    "gemma2-bare": (Gemma2Config, GEMMA, dict(
        dtype=torch.bfloat16, attn_logit_softcapping=None, final_logit_softcapping=None, attention_bias=True, tie_word_embeddings=False,
        layer_types=["full_attention", "sliding_attention"], hidden_activation="gelu", **rope("linear", factor=2.0))),
    "gemma3-global": (Gemma3TextConfig, GEMMA, dict(
        dtype=torch.bfloat16, attn_logit_softcapping=2.0, layer_types=["sliding_attention", "full_attention"], rope_parameters={
            "full_attention": {"rope_type": "yarn", "rope_theta": 1000.0, "factor": 2.0, "original_max_position_embeddings": 8},
            "sliding_attention": {"rope_type": "default", "rope_theta": 100.0}})),
    "gemma3-older": (Gemma3TextConfig, GEMMA, dict(
        dtype=torch.float32, final_logit_softcapping=3.0, attention_bias=True, sliding_window_pattern=2, older=True, rope_parameters={
            "full_attention": {"rope_type": "linear", "rope_theta": 1000.0, "factor": 4.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 100.0}})),
    "bloom-plain": (BloomConfig, BLOOM, dict(dtype=torch.float32, seq_length=32)),
    "bloom-three-heads": (BloomConfig, BLOOM, dict(dtype=torch.float16, n_head=3, hidden_size=12, layer_norm_epsilon=1e-4,
                                                   prefix="")),
    "bloom-post-norm": (BloomConfig, BLOOM, dict(dtype=torch.bfloat16, n_head=2, apply_residual_connection_post_layernorm=True,
                                                 tie_word_embeddings=False)),
    "gpt_neox-parallel": (GPTNeoXConfig, NEOX, dict(dtype=torch.float32, rope_parameters=neox_rope(0.25))),
    "gpt_neox-sequential": (GPTNeoXConfig, NEOX, dict(dtype=torch.float16, use_parallel_residual=False, attention_bias=False,
                                                      hidden_act="relu", rope_parameters=neox_rope(0.5, 500000.0), older=True,
                                                      buffers=True)),
    "gpt_neox-tied": (GPTNeoXConfig, NEOX, dict(dtype=torch.bfloat16, tie_word_embeddings=True, hidden_act="gelu_new",
                                                layer_norm_eps=1e-4, rope_parameters=neox_rope(1.0), prefix="")),
    "gpt_neox-linear": (GPTNeoXConfig, NEOX, dict(dtype=torch.bfloat16, tie_word_embeddings=True,
                                                  rope_parameters=neox_rope(0.5) | {"rope_type": "linear", "factor": 2.0})),
    "gpt2-plain": (GPT2Config, GPT2, dict(dtype=torch.float32, buffers=True, prefix="")),
    "gpt2-inverse-layers": (GPT2Config, GPT2, dict(dtype=torch.float16, scale_attn_by_inverse_layer_idx=True, n_inner=20,
                                                   activation_function="relu", tie_word_embeddings=False)),
    "gpt2-unscaled": (GPT2Config, GPT2, dict(dtype=torch.bfloat16, scale_attn_weights=False, activation_function="gelu",
                                             layer_norm_epsilon=1e-4)),
}

# Where a family keeps its blocks, and the first layer that reads each tap.
LLAMA_TAPS = {"self_attn.q_proj": "attn_in", "self_attn.o_proj": "attn_out", "mlp.gate_proj": "mlp_in", "mlp.down_proj": "mlp_mid"}
BLOCKS = {
    "opt": ("model.decoder.layers",
            {"self_attn.q_proj": "attn_in", "self_attn.out_proj": "attn_out", "fc1": "mlp_in", "fc2": "mlp_mid"}),
    **{family: ("model.layers", LLAMA_TAPS) for family in ("llama", "mistral", "ministral", "qwen2", "qwen3", "gemma2", "gemma3_text")},
    "gpt_neox": ("gpt_neox.layers", {"attention.query_key_value": "attn_in", "attention.dense": "attn_out",
                                     "mlp.dense_h_to_4h": "mlp_in", "mlp.dense_4h_to_h": "mlp_mid"}),
    "gpt2": ("transformer.h", {"attn.c_attn": "attn_in", "attn.c_proj": "attn_out", "mlp.c_fc": "mlp_in", "mlp.c_proj": "mlp_mid"}),
    "bloom": ("transformer.h", {"self_attention.query_key_value": "attn_in", "self_attention.dense": "attn_out",
                                "mlp.dense_h_to_4h": "mlp_in", "mlp.dense_4h_to_h": "mlp_mid"}),
}


def randomize(model, dtype, spread):
    """Values of a trained model's size, as the checkpoint will store them: a fresh model's layers hardly do anything."""
    mean = 0 if model.config.model_type.startswith("gemma") else 1
    for name, p in model.named_parameters():
        noise = torch.randn_like(p) * (0.1 if p.dim() == 1 else spread)
        is_norm = name.endswith(("norm.weight", "ln_1.weight", "ln_2.weight", "ln_f.weight"))
        p.copy_((mean + noise if is_norm else noise).to(dtype).float())


def expected(model, ids):
    out = {"tokens": ids}

    def keep(name):
        return lambda value: out.__setitem__(name, value.reshape(-1, value.shape[-1]).clone())

    path, taps = BLOCKS[model.config.model_type]
    for b, block in enumerate(model.get_submodule(path)):
        for layer, tap in taps.items():
            block.get_submodule(layer).register_forward_pre_hook(lambda _, args, put=keep(f"{b}.{tap}"): put(args[0]))
        block.register_forward_hook(
            lambda _, args, result, put=keep(f"{b}.output"): put(result[0] if isinstance(result, tuple) else result))
    keep("logits")(model(ids).logits)
    return out


def older_form(config):
    config.pop("layer_types", None)
    parameters = config.pop("rope_parameters")
    local = parameters.get("sliding_attention")
    parameters = dict(parameters.get("full_attention", parameters))
    theta = parameters.pop("rope_theta")
    scaling = None if parameters["rope_type"] == "default" else {"type": parameters.pop("rope_type")} | parameters
    return config | {"rope_theta": theta, "rope_scaling": scaling} | ({"rope_local_base_freq": local["rope_theta"]} if local else {})


def older_neox(config):
    parameters = config.pop("rope_parameters")
    return config | {"rotary_pct": parameters["partial_rotary_factor"], "rotary_emb_base": int(parameters["rope_theta"])}


def older_config(config):
    return older_neox(config) if config["model_type"] == "gpt_neox" else older_form(config)


def old_buffers(config, stored):
    """Masks and tables as older checkpoints hold them beside the weights."""
    size = config.max_position_embeddings
    mask = torch.ones(1, 1, size, size, dtype=torch.uint8).tril()
    if config.model_type == "gpt2":
        fused, tensors = ".c_attn.weight", {"bias": mask, "masked_bias": torch.tensor(-1e4)}
    else:
        fused, tensors = ".query_key_value.weight", {"bias": mask.bool(), "masked_bias": torch.tensor(-float("inf"), dtype=torch.float16),
                                                     "rotary_emb.inv_freq": torch.rand(4)}
    modules = [k.removesuffix(fused) for k in stored if k.endswith(fused)]
    return {f"{module}.{name}": tensor.clone() for module in modules for name, tensor in tensors.items()}


def make(folder, config_class, sizes, dtype, prefix=None, older=False, buffers=False, model_type=None, spread=0.4, **options):
    torch.manual_seed(1)
    config = config_class(**sizes | options)
    model = AutoModelForCausalLM.from_config(config).eval().float()
    randomize(model, dtype, spread)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stored = {k: v.to(dtype).contiguous() for k, v in model.state_dict().items()}
    if config.tie_word_embeddings:
        del stored[next(k for k in stored if k.startswith(("lm_head", "embed_out")))]
    if prefix is not None:
        stored = {k.replace(f"{model.base_model_prefix}.", prefix, 1): v for k, v in stored.items()}
    if config.model_type == "gpt_neox":
        stored = {k.replace("lm_head.", "embed_out."): v for k, v in stored.items()}
    if buffers:
        stored |= old_buffers(config, stored)
    save_file(stored, folder / "model.safetensors")
    save_file(expected(model, torch.randint(0, config.vocab_size, (SEQUENCES, SEQLEN))), folder / "expected.safetensors")
    # What equals the class's default is left out of the diff, the sizes among it.
    written = config.to_diff_dict() | {k: v for k, v in sizes.items() if k not in options} | {"model_type": model_type or config.model_type}
    (folder / "config.json").write_text(json.dumps(older_config(written) if older else written, indent=1, default=str) + "\n")


torch.set_grad_enabled(False)
parser = argparse.ArgumentParser()
parser.add_argument("--out", type=Path, default=FIXTURES)
parser.add_argument("names", nargs="*")
arguments = parser.parse_args()
for name in arguments.names or VARIANTS:
    config_class, sizes, options = VARIANTS[name]
    make(arguments.out / name, config_class, sizes, **options)
