"""Reads a GGUF file of the LLaMA architecture with the `gguf` package, and has it dequantized.

    python gguf_reader.py FILE OUT DTYPE

Writes OUT/model.safetensors: all tensors by the names that `transformers` gives them, rounded to DTYPE once, the rows of Q
and K in the order of `transformers`. Prints the file's fields (long arrays as their length) and its types of tensors.
"""

import json
import re
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import save_file

OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
IN_BLOCK = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def main(file: str, out: Path, dtype: str) -> None:
    reader = gguf.GGUFReader(file)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    tensors = {name_of(t.name): dense(t, fields).to(getattr(torch, dtype)) for t in reader.tensors}
    out.mkdir(parents=True)
    save_file(tensors, out / "model.safetensors")
    types = {t.name: t.tensor_type.name for t in reader.tensors}
    short = {name: len(value) if isinstance(value, list) else value for name, value in fields.items()}
    print(json.dumps({"fields": short, "types": types}))


def name_of(name: str) -> str:
    if block := re.fullmatch(r"blk\.(\d+)\.(\w+)\.(weight|bias)", name):
        return f"model.layers.{block[1]}.{IN_BLOCK[block[2]]}.{block[3]}"
    stem, part = name.split(".")
    return f"{OUTSIDE[stem]}.{part}"


def dense(tensor, fields: dict) -> torch.Tensor:
    values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    values = values.reshape(tuple(int(size) for size in reversed(tensor.shape)))
    stem = tensor.name.split(".")[-2]
    if stem in ("attn_q", "attn_k"):
        heads = fields["llama.attention.head_count" if stem == "attn_q" else "llama.attention.head_count_kv"]
        values = in_halves(values, heads)
    # The package's arrays lie in the file and are not writable.
    return torch.from_numpy(np.array(values, np.float32))


def in_halves(rows: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp turns neighbouring rows of a head together, `transformers` a row of its first half with one of its second."""
    half = len(rows) // heads // 2
    return rows.reshape(heads, half, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
