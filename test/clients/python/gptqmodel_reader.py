"""Reads a GPTQ folder with GPTQModel's own layers, through `transformers` (which does not load those of GPT-2).

    python gptqmodel_reader.py FOLDER OUT DTYPE

Writes OUT/model.safetensors with `NAME.weight` as those layers dequantize it, rounded to DTYPE once, [out, in] or as
transformers' Conv1D has it.
"""

import json
import sys
from pathlib import Path

import torch
from gptqmodel import BACKEND, GPTQModel
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM


@torch.no_grad()
def main(folder: Path, out: Path, dtype: torch.dtype) -> None:
    model = load(folder).eval()
    layers = {name: module for name, module in model.named_modules() if hasattr(module, "qweight")}
    weights = {f"{name}.weight": dense(layer).to(dtype) for name, layer in layers.items()}
    if model.config.model_type == "gpt2":
        weights = {name: weight.T.contiguous() for name, weight in weights.items()}
    out.mkdir(parents=True)
    save_file(weights, out / "model.safetensors")
    print(json.dumps({"layers": len(layers), "kinds": sorted({type(layer).__name__ for layer in layers.values()})}))


def load(folder: Path) -> torch.nn.Module:
    if AutoConfig.from_pretrained(folder).model_type == "gpt2":
        return GPTQModel.load(str(folder), device="cpu", backend=BACKEND.GPTQ_TORCH).model
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float16)


def dense(layer: torch.nn.Module) -> torch.Tensor:
    # The products are computed in the scales' dtype.
    layer.scales = layer.scales.float()
    return layer.dequantize_weight().T.contiguous()


main(Path(sys.argv[1]), Path(sys.argv[2]), getattr(torch, sys.argv[3]))
