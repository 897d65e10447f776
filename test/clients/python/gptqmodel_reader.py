"""Reads a GPTQ folder with GPTQModel's own layers, through `transformers`.

    python gptqmodel_reader.py FOLDER OUT

Writes OUT/model.safetensors with `NAME.weight` [out, in] as those layers dequantize it.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM


@torch.no_grad()
def main(folder: Path, out: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float16).eval()
    layers = {name: module for name, module in model.named_modules() if hasattr(module, "qweight")}
    weights = {f"{name}.weight": layer.dequantize_weight().T.contiguous() for name, layer in layers.items()}
    out.mkdir(parents=True)
    save_file(weights, out / "model.safetensors")
    print(json.dumps({"layers": len(layers), "kinds": sorted({type(layer).__name__ for layer in layers.values()})}))


main(*map(Path, sys.argv[1:]))
