"""Reads a compressed-tensors folder with that package, through `transformers`, and has it dequantized.

    python compressed_tensors_reader.py FOLDER OUT

Writes OUT/model.safetensors with all the model's parameters, dense, in the folder's dtype.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, CompressedTensorsConfig


@torch.no_grad()
def main(folder: Path, out: Path) -> None:
    config = CompressedTensorsConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", quantization_config=config)
    out.mkdir(parents=True)
    save_file({name: tensor.contiguous() for name, tensor in model.named_parameters()}, out / "model.safetensors")
    print(json.dumps({"dtype": str(model.dtype), "parameters": sum(1 for _ in model.parameters())}))


main(*map(Path, sys.argv[1:]))
