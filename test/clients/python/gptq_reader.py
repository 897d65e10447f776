"""Reads a GPTQ folder from the definition of its format, with NumPy.

    python gptq_reader.py FOLDER OUT DTYPE

Writes OUT/model.safetensors with `NAME.weight` for every layer NAME of the folder that is packed: scale * (code - zero),
rounded to DTYPE once, [out, in] or as transformers' Conv1D has it.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file


def main(folder: Path, out: Path, dtype: torch.dtype) -> None:
    config = json.loads((folder / "quantize_config.json").read_text())
    assert config == json.loads((folder / "config.json").read_text())["quantization_config"], "the two configs differ"
    assert config["quant_method"] == "gptq" and config["checkpoint_format"] in ("gptq", "gptq_v2")
    stored_below = 1 if config["checkpoint_format"] == "gptq" else 0
    tensors = read(folder)
    names = sorted(name.removesuffix(".qweight") for name in tensors if name.endswith(".qweight"))
    weights = {f"{name}.weight": weight(tensors, name, config, stored_below).to(dtype) for name in names}
    if json.loads((folder / "config.json").read_text())["model_type"] == "gpt2":
        weights = {name: weight.T.contiguous() for name, weight in weights.items()}
    out.mkdir(parents=True)
    save_file(weights, out / "model.safetensors")
    print(json.dumps({"layers": len(names), "format": config["checkpoint_format"], "bits": config["bits"]}))


def read(folder: Path) -> dict[str, np.ndarray]:
    tensors = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "numpy") as file:
            # numpy knows no bfloat16, and only what is packed is wanted.
            names = [n for n in file.keys() if n.endswith((".qweight", ".qzeros", ".scales", ".g_idx"))]
            tensors |= {name: file.get_tensor(name) for name in names}
    return tensors


def weight(tensors: dict[str, np.ndarray], name: str, config: dict, stored_below: int) -> torch.Tensor:
    bits = config["dynamic"][name]["bits"] if name in config.get("dynamic", {}) else config["bits"]
    codes = unpack(tensors[f"{name}.qweight"].T, bits)  # [out, in]
    zeros = unpack(tensors[f"{name}.qzeros"], bits) + stored_below  # [groups, out]
    scales = tensors[f"{name}.scales"].astype(np.float32)  # [groups, out]
    group = tensors[f"{name}.g_idx"]  # [in]
    # Exact in float32: 11 bits of a scale times 9 of a difference.
    return torch.from_numpy(np.ascontiguousarray(scales[group].T * (codes - zeros[group].T)))


def unpack(words: np.ndarray, bits: int) -> np.ndarray:
    """int32 [n, words] -> codes [n, words * 32 / bits]: each row is one string of bits, the lowest of a word first."""
    rows = len(words)
    string = np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=1, bitorder="little")
    return string.reshape(rows, -1, bits).astype(np.int32) @ (1 << np.arange(bits, dtype=np.int32))


main(Path(sys.argv[1]), Path(sys.argv[2]), getattr(torch, sys.argv[3]))
