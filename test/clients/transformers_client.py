"""What `transformers` computes with a model's folder.

    python transformers_client.py FOLDER TOKENS OUT [DTYPE]

TOKENS is a .safetensors file with an int64 tensor `tokens` [windows, seqlen]. Writes OUT, a .safetensors file with the
float32 `logits` [seqlen, vocab] of the first window, and prints the perplexity over all of them, what is generated
greedily after the first window's first tokens, and the kinds of linear layer that the library made of the folder.
DTYPE, float32 where it is not given, is what the model is loaded as.
"""

import json
import math
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from prompt import NEW_TOKENS, PROMPT_TOKENS

BATCH = 8


@torch.no_grad()
def main(folder: str, tokens: str, out: str, dtype: str = "float32") -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
    windows = load_file(tokens)["tokens"]
    save_file({"logits": model(windows[:1]).logits[0].float().contiguous()}, out)
    losses = [loss for batch in windows.split(BATCH) for loss in losses_of(model, batch)]
    prompt = windows[:1, :PROMPT_TOKENS]
    generated = model.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=NEW_TOKENS, do_sample=False, eos_token_id=None
    )
    result = {
        "perplexity": math.exp(sum(losses) / len(losses)),
        "windows": len(losses),
        "greedy": generated[0, PROMPT_TOKENS:].tolist(),
        "layers": sorted({type(module).__name__ for name, module in model.named_modules() if is_linear(name)}),
    }
    print(json.dumps(result))


def losses_of(model, windows: torch.Tensor) -> list[float]:
    """The mean loss of each window's seqlen - 1 predictions, in nats."""
    logits = model(windows).logits.double()
    predicted = logits[:, :-1].log_softmax(-1).gather(-1, windows[:, 1:, None])
    return (-predicted.mean(dim=(1, 2))).tolist()


def is_linear(name: str) -> bool:
    return name.split(".")[-1] in ("q_proj", "k_proj", "v_proj", "out_proj", "o_proj", "fc1", "fc2", "down_proj")


main(*sys.argv[1:])
