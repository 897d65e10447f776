"""Makes test/fixtures/bin/*: small checkpoints as PyTorch writes them, each with the same tensors as safetensors beside it.

    python scripts/make-bin-fixtures.py     (needs torch, safetensors; run by hand, its output is committed)

NAME.bin is read and equals NAME.safetensors; what is in refused/ is read by PyTorch and not by Tamis.
"""
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

HERE = Path(__file__).parent.parent / "test" / "fixtures"
FIXTURES = HERE / "bin"
MODEL = HERE / "models" / "opt-pre-norm"


def both(name, tensors, saved=None, **options):
    torch.save(tensors if saved is None else saved, FIXTURES / f"{name}.bin", **options)
    save_file({key: value.detach().clone().contiguous() for key, value in tensors.items()}, FIXTURES / f"{name}.safetensors")


def dtypes():
    numbers = torch.randn(3, 4) * 3
    names = "float32 float16 bfloat16 float64 int64 int32 int16 int8 uint8 bool complex64 uint16 uint32 uint64 float8_e4m3fn float8_e5m2"
    return {name: numbers.abs().to(getattr(torch, name)) for name in names.split()}


def views():
    table = torch.randn(6, 4)
    return {"all": table, "rows": table[2:5], "tied": table, "last": table[5], "empty": torch.zeros(0, 4), "scalar": torch.tensor(2.5),
            "one_column": torch.randn(3, 1).t().contiguous().t(), "number": table[5, 3]}


def module():
    layers = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    return layers.state_dict()


def model_folder(sharded):
    """The tiny OPT with its head under a second name, as an old save_pretrained left it."""
    folder = FIXTURES / ("opt-sharded" if sharded else "opt")
    folder.mkdir()
    shutil.copy(MODEL / "config.json", folder)
    tensors = load_file(MODEL / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.decoder.embed_tokens.weight"]
    if not sharded:
        return torch.save(tensors, folder / "pytorch_model.bin")
    shards = ({}, {})
    for name, tensor in tensors.items():
        shards[".layers.1." in name][name] = tensor
    names = [f"pytorch_model-{i + 1:05}-of-00002.bin" for i in range(2)]
    for name, shard in zip(names, shards):
        torch.save(shard, folder / name)
    size = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": {key: names[key in shards[1]] for key in tensors}}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))


def refused():
    folder = FIXTURES / "refused"
    folder.mkdir()
    weight = torch.randn(2, 3)
    save = lambda name, value, **options: torch.save(value, folder / f"{name}.bin", **options)
    save("legacy", {"weight": weight}, _use_new_zipfile_serialization=False)
    save("transposed", {"weight": weight.t()})
    save("nested", {"model": {"weight": weight}})
    save("tensor", weight)
    save("list", {"weights": [weight]})
    save("module", torch.nn.Linear(3, 2))
    save("sparse", {"weight": weight.to_sparse()})
    save("negated", {"weight": torch._neg_view(weight)})
    torch.jit.save(torch.jit.script(torch.nn.Linear(3, 2)), folder / "script.bin")


torch.manual_seed(1)
shutil.rmtree(FIXTURES, ignore_errors=True)
FIXTURES.mkdir()
both("dtypes", dtypes())
both("views", views())
state = module()
both("state-dict", state)
both("parameters", state, {key: torch.nn.Parameter(value) for key, value in state.items()})
both("beside", state, {**state, "step": 3, "loss": 0.5, "name": "run", "nothing": None, "flag": True, "large": 2**80, 7: 7})
both("protocol-4", state, pickle_protocol=4)
both("protocol-5", state, pickle_protocol=5)
torch.serialization.set_crc32_options(False)
both("no-checksums", state)
torch.serialization.set_crc32_options(True)
model_folder(False)
model_folder(True)
refused()
