"""Makes a small random model of a family, for the clients that tell families apart.

    python random_model.py FAMILY TOKENIZER_FOLDER OUT

TOKENIZER_FOLDER is a model's folder whose tokenizer it takes over. OUT becomes a model's folder, in float32: what a program computes
with it is then as near to what another one does as their arithmetic lets them be, and a greedy choice is the same.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, Gemma2Config, Gemma3TextConfig, MistralConfig, Qwen3Config

SIZES = dict(
    vocab_size=8192,
    hidden_size=256,
    intermediate_size=512,
    num_hidden_layers=4,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=128,
    max_position_embeddings=256,
    bos_token_id=2,
    eos_token_id=2,
    pad_token_id=1,
)
# A Gemma whose head is its embedding, which it scales up, gives each token itself again as long as it has learned nothing.
FAMILIES = {
    "mistral": (MistralConfig, dict(sliding_window=40)),
    "qwen3": (Qwen3Config, dict(tie_word_embeddings=True)),
    "gemma2": (Gemma2Config, dict(tie_word_embeddings=False, sliding_window=40, query_pre_attn_scalar=128, attn_logit_softcapping=3.0, final_logit_softcapping=5.0)),
    "gemma3": (Gemma3TextConfig, dict(tie_word_embeddings=False, sliding_window=40, query_pre_attn_scalar=128, sliding_window_pattern=3)),
}


@torch.no_grad()
def main(family: str, tokenizer: Path, out: Path) -> None:
    torch.manual_seed(0)
    config_class, options = FAMILIES[family]
    model = AutoModelForCausalLM.from_config(config_class(**SIZES | options))
    for name, parameter in model.named_parameters():
        if parameter.dim() == 2:
            parameter.normal_(std=parameter.shape[1] ** -0.5)
        else:
            parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(out)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tokenizer / file, out / file)
    print(json.dumps({"parameters": model.num_parameters()}))


main(sys.argv[1], *map(Path, sys.argv[2:]))
