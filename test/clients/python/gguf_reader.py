"""Reads a GGUF file of the architectures `llama` and `bloom` with the `gguf` package, and has it dequantized.

    python gguf_reader.py FILE OUT DTYPE

Writes OUT/model.safetensors: all tensors by the names that `transformers` gives them, rounded to DTYPE once, the rows of
queries, keys and values in the order of `transformers`. Prints the file's fields (long arrays as their length) and its types of tensors.
"""

import json
import re
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import save_file

NAMES = {
    "llama": {
        "token_embd": "model.embed_tokens",
        "output_norm": "model.norm",
        "output": "lm_head",
        "blk": "model.layers",
        "attn_norm": "input_layernorm",
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "ffn_norm": "post_attention_layernorm",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
    },
    "bloom": {
        "token_embd": "transformer.word_embeddings",
        "token_embd_norm": "transformer.word_embeddings_layernorm",
        "output_norm": "transformer.ln_f",
        "blk": "transformer.h",
        "attn_norm": "input_layernorm",
        "attn_qkv": "self_attention.query_key_value",
        "attn_output": "self_attention.dense",
        "ffn_norm": "post_attention_layernorm",
        "ffn_up": "mlp.dense_h_to_4h",
        "ffn_down": "mlp.dense_4h_to_h",
    },
}


def main(file: str, out: Path, dtype: str) -> None:
    reader = gguf.GGUFReader(file)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    architecture = fields["general.architecture"]
    tensors = {
        name_of(tensor.name, NAMES[architecture]): dense(tensor, architecture, fields).to(getattr(torch, dtype))
        for tensor in reader.tensors
    }
    out.mkdir(parents=True)
    save_file(tensors, out / "model.safetensors")
    types = {t.name: t.tensor_type.name for t in reader.tensors}
    short = {name: len(value) if isinstance(value, list) else value for name, value in fields.items()}
    print(json.dumps({"fields": short, "types": types}))


def name_of(name: str, names: dict[str, str]) -> str:
    if block := re.fullmatch(r"blk\.(\d+)\.(\w+)\.(weight|bias)", name):
        return f"{names['blk']}.{block[1]}.{names[block[2]]}.{block[3]}"
    stem, part = name.split(".")
    return f"{names[stem]}.{part}"


def dense(tensor, architecture: str, fields: dict) -> torch.Tensor:
    values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    values = values.reshape(tuple(int(size) for size in reversed(tensor.shape)))
    heads = fields[f"{architecture}.attention.head_count"]
    stem = tensor.name.split(".")[-2]
    if stem == "attn_qkv":
        values = by_head(values, heads)
    if stem in ("attn_q", "attn_k"):
        values = in_halves(values, heads if stem == "attn_q" else fields[f"{architecture}.attention.head_count_kv"])
    # The package's arrays lie in the file and are not writable.
    return torch.from_numpy(np.array(values, np.float32))


def by_head(rows: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp has all queries, then all keys, then all values; `transformers` has the three of one head, then of the next."""
    return rows.reshape(3, heads, -1, *rows.shape[1:]).swapaxes(0, 1).reshape(rows.shape)


def in_halves(rows: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp turns neighbouring rows of a head together, `transformers` a row of its first half with one of its second."""
    half = len(rows) // heads // 2
    return rows.reshape(heads, half, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
