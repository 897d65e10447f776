"""A tiny random model of each family that llama.cpp knows, with a tokenizer of its family's kind.

    python tiny_families.py TOKENIZERS OUT_DIR

TOKENIZERS: test/fixtures/tokenizers. Each folder of OUT_DIR is a checkpoint in float32, in which llama.cpp's blocks of 32 fit.
"""
import json
import shutil
import sys
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    Qwen3Config,
)

SIZES = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             max_position_embeddings=512)
GEMMA = SIZES | dict(head_dim=32, query_pre_attn_scalar=32, sliding_window=64, num_hidden_layers=7)


def rope(rope_type, **parameters):
    return {"rope_parameters": {"rope_type": rope_type, "rope_theta": 10000.0, **parameters}}


LLAMA_3 = rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
LOCAL = {"rope_parameters": {"full_attention": {"rope_type": "linear", "rope_theta": 100000.0, "factor": 4.0},
                             "sliding_attention": {"rope_type": "default", "rope_theta": 1000.0}}}

# By name: the config, its class, and the tokenizer.
MODELS = {
    "llama3": (LlamaConfig, "llama3", SIZES | LLAMA_3),
    "llama-linear": (LlamaConfig, "llama2", SIZES | rope("linear", factor=4.0) | dict(attention_bias=True, mlp_bias=True)),
    "llama-yarn": (LlamaConfig, "smollm2", SIZES | rope("yarn", factor=4.0, original_max_position_embeddings=128)
                   | dict(tie_word_embeddings=True, head_dim=32)),
    "mistral": (MistralConfig, "mistral", SIZES | dict(sliding_window=None)),
    "tekken": (MistralConfig, "tekken", SIZES | dict(sliding_window=None, head_dim=32)),
    "qwen2": (Qwen2Config, "qwen2", SIZES | dict(tie_word_embeddings=True)),
    "qwen3": (Qwen3Config, "qwen3", SIZES | dict(head_dim=32)),
    "gemma2": (Gemma2Config, "gemma2", GEMMA | dict(attn_logit_softcapping=2.0, final_logit_softcapping=3.0)),
    "gemma3": (Gemma3TextConfig, "gemma3", GEMMA | LOCAL),
    "bloom": (BloomConfig, "bloom", dict(hidden_size=96, n_layer=2, n_head=3, seq_length=512)),
    "gpt_neox": (GPTNeoXConfig, "gpt_neox", SIZES | dict(hidden_act="gelu_new", **rope("default", partial_rotary_factor=0.5))),
    "gpt2": (GPT2Config, "gpt2", dict(n_embd=64, n_layer=2, n_head=4, n_positions=512)),
}


def main(tokenizers, out):
    for name, (config_class, tokenizer, options) in MODELS.items():
        torch.manual_seed(6)
        folder = out / name
        definition = json.loads((tokenizers / tokenizer / "tokenizer.json").read_text(encoding="utf-8"))
        ids = {**definition["model"]["vocab"], **{token["content"]: token["id"] for token in definition["added_tokens"]}}
        start = [step["SpecialToken"]["id"] for step in steps(definition["post_processor"]) if "SpecialToken" in step]
        special = dict(bos_token_id=ids[start[0]] if start else None, eos_token_id=None, pad_token_id=None)
        model = AutoModelForCausalLM.from_config(config_class(vocab_size=max(ids.values()) + 1, **special, **options)).float()
        with torch.no_grad():
            for parameter, values in model.named_parameters():
                noise = torch.randn_like(values) * (0.1 if values.dim() == 1 else 0.25)
                values.copy_(values + noise if values.dim() == 1 else noise)
        model.save_pretrained(folder)
        shutil.copy(tokenizers / tokenizer / "tokenizer.json", folder)


def steps(processor):
    """Of a template that puts tokens around a text."""
    if processor is None:
        return []
    if processor["type"] == "Sequence":
        return [step for part in processor["processors"] for step in steps(part)]
    return processor.get("single", [])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
