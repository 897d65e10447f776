"""Reads a GPTQ folder with GPTQModel's own layers, through `transformers`.

    python gptqmodel_reader.py FOLDER OUT DTYPE

Writes OUT/model.safetensors with `NAME.weight` as those layers dequantize it, rounded to DTYPE once, [out, in] or as
transformers' Conv1D has it.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM


@torch.no_grad()
def main(folder: Path, out: Path, dtype: torch.dtype) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float16).eval()
    layers = {name: module for name, module in model.named_modules() if hasattr(module, "qweight")}
    weights = {f"{name}.weight": dense(layer).to(dtype) for name, layer in layers.items()}
    if model.config.model_type == "gpt2":
        weights = {name: weight.T.contiguous() for name, weight in weights.items()}
    out.mkdir(parents=True)
    save_file(weights, out / "model.safetensors")
    print(json.dumps({"layers": len(layers), "kinds": sorted({type(layer).__name__ for layer in layers.values()})}))


def dense(layer: torch.nn.Module) -> torch.Tensor:
    # The products are computed in the scales' dtype.
    layer.scales = layer.scales.float()
    return layer.dequantize_weight().T.contiguous()


main(Path(sys.argv[1]), Path(sys.argv[2]), getattr(torch, sys.argv[3]))
