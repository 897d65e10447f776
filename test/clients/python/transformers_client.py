"""What `transformers` computes with a model's folder, in float32.

    python transformers_client.py FOLDER SAMPLE OUT

Writes OUT, float32 [seqlen, vocab]: the logits of the sample's first window. Prints the perplexity over
all windows, what is generated greedily after the prompt, and the kinds of linear layers that the library made of the
folder.
"""

import json
import math
import sys

import torch
from transformers import AutoConfig, AutoModelForCausalLM, CompressedTensorsConfig, GPTQConfig

from sample import read_sample

BATCH = 2
LINEAR = ("_proj", "fc1", "fc2", "query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h")


@torch.no_grad()
def main(folder: str, sample_file: str, out: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **how_to_load(folder)).eval()
    kinds = {type(module).__name__ for name, module in model.named_modules() if name.endswith(LINEAR)}
    sample = read_sample(sample_file)
    windows = torch.tensor(sample.windows)
    model(windows[:1]).logits[0].numpy().tofile(out)
    losses = [loss for batch in windows.split(BATCH) for loss in losses_of(model, batch)]
    prompt = windows[:1, : sample.prompt]
    generated = model.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=sample.generate, do_sample=False, eos_token_id=None
    )
    result = {
        "perplexity": math.exp(sum(losses) / len(losses)),
        "windows": len(losses),
        "greedy": generated[0, sample.prompt :].tolist(),
        "layers": sorted(kinds),
    }
    print(json.dumps(result))


def how_to_load(folder: str) -> dict:
    config = getattr(AutoConfig.from_pretrained(folder), "quantization_config", {})
    if any(not group["weights"]["symmetric"] for group in config.get("config_groups", {}).values()):
        # compressed-tensors 0.20 makes place for zero points as they are before they are packed, and so takes no asymmetric
        # folder, not even one that it has written itself; `dequantize` goes another way.
        return {"quantization_config": CompressedTensorsConfig(dequantize=True)}
    if config.get("quant_method") == "gptq" and config["group_size"] == -1:
        # GPTQModel 7.7 chooses a kernel for the CPU that takes no group of more than 256 columns.
        return {"quantization_config": GPTQConfig(bits=config["bits"], backend="gptq_torch")}
    return {}


def losses_of(model, windows: torch.Tensor) -> list[float]:
    """The mean loss of each window's seqlen - 1 predictions, in nats."""
    logits = model(windows).logits.double()
    predicted = logits[:, :-1].log_softmax(-1).gather(-1, windows[:, 1:, None])
    return (-predicted.mean(dim=(1, 2))).tolist()


main(*sys.argv[1:])
