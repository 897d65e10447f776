"""Trains a small model on the demo's texts, of a family that is not the demo model's.

    python train_model.py FAMILY TEXTS TOKENIZER_FOLDER OUT

FAMILY is `llama` (grouped-query attention, an untied head) or `bloom`. TEXTS is a folder of .txt files, TOKENIZER_FOLDER a
model's folder whose tokenizer it takes over. OUT becomes a model's folder in bfloat16. One to two minutes on two cores: it
need not be good, but its probabilities must be those of a language model, not of noise.
"""

import json
import math
import shutil
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, BloomConfig, LlamaConfig, PreTrainedModel

BATCH, SEQLEN = 16, 128
TOKENS = {"vocab_size": 8192, "bos_token_id": 2, "eos_token_id": 2, "pad_token_id": 1}
FAMILIES = {
    "llama": LlamaConfig(
        **TOKENS,
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        rms_norm_eps=1e-5,
        tie_word_embeddings=False,
    ),
    "bloom": BloomConfig(**TOKENS, hidden_size=256, n_layer=2, n_head=4, seq_length=256),
}
STEPS = {"llama": 150, "bloom": 100}


def main(family: str, texts: Path, tokenizer: Path, out: Path) -> None:
    torch.manual_seed(0)
    tokens = tokenize(texts, tokenizer / "tokenizer.json")
    model = AutoModelForCausalLM.from_config(FAMILIES[family])
    loss = train(model, tokens, STEPS[family])
    model.to(torch.bfloat16).save_pretrained(out)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tokenizer / name, out / name)
    print(json.dumps({"tokens": len(tokens), "loss": loss}))


def tokenize(texts: Path, tokenizer: Path) -> torch.Tensor:
    """All texts one after the other: int64 [tokens]."""
    encoder = Tokenizer.from_file(str(tokenizer))
    encoded = encoder.encode_batch([path.read_text("utf-8") for path in sorted(texts.iterdir())])
    return torch.tensor([token for text in encoded for token in text.ids])


def train(model: PreTrainedModel, tokens: torch.Tensor, steps: int) -> float:
    """Returns the mean loss of the last ten steps, in nats a token."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.95), weight_decay=0.1)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / 20) * cosine(step / steps))
    losses = []
    for _ in range(steps):
        starts = torch.randint(len(tokens) - SEQLEN, (BATCH,))
        batch = torch.stack([tokens[start : start + SEQLEN] for start in starts])
        loss = model(input_ids=batch, labels=batch).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimizer.step()
        rate.step()
        losses.append(loss.item())
    return sum(losses[-10:]) / 10


def cosine(progress: float) -> float:
    return 0.1 + 0.9 * (1 + math.cos(math.pi * progress)) / 2


main(sys.argv[1], *map(Path, sys.argv[2:]))
