"""Makes test/fixtures/rope.json: the inverse frequencies that transformers computes for the kinds of rotary positions that models have.

    python scripts/make-rope-fixture.py     (needs torch, transformers; run by hand, its output is committed)
"""
import json
from pathlib import Path

from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, ROPE_INIT_FUNCTIONS

OUT = Path(__file__).parent.parent / "test" / "fixtures" / "rope.json"

# Each with the length of its model and the size of a head.
KINDS = {
    "llama-2": (4096, 128, dict(rope_type="default", rope_theta=10000.0)),
    "gemma-3": (32768, 256, dict(rope_type="linear", rope_theta=1000000.0, factor=8.0)),
    "llama-3.1": (131072, 128, dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                    original_max_position_embeddings=8192)),
    "llama-3.2": (131072, 64, dict(rope_type="llama3", rope_theta=500000.0, factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                   original_max_position_embeddings=8192)),
    "qwen-2.5": (131072, 128, dict(rope_type="yarn", rope_theta=1000000.0, factor=4.0, original_max_position_embeddings=32768)),
    "yarn-7b": (65536, 128, dict(rope_type="yarn", rope_theta=10000.0, factor=16.0, original_max_position_embeddings=4096, mscale=0.7,
                                 mscale_all_dim=1.1, beta_fast=24, beta_slow=2, truncate=False)),
    "yarn-by-length": (65536, 96, dict(rope_type="yarn", rope_theta=10000.0, factor=None, original_max_position_embeddings=4096,
                                       attention_factor=1.25)),
    "longrope": (131072, 96, dict(rope_type="longrope", rope_theta=10000.0, original_max_position_embeddings=4096,
                                  short_factor=[1 + i / 47 for i in range(48)], long_factor=[1.05 + i * 64 / 47 for i in range(48)])),
    "proportional": (8192, 256, dict(rope_type="proportional", rope_theta=1000000.0, partial_rotary_factor=0.25, factor=1.5)),
    "dynamic": (4096, 128, dict(rope_type="dynamic", rope_theta=10000.0, factor=2.0)),
}


def frequencies(length, size, parameters):
    config = LlamaConfig(hidden_size=size * 2, num_attention_heads=2, head_dim=size, max_position_embeddings=length,
                         rope_parameters=dict(parameters))
    rotary = LlamaRotaryEmbedding(config)
    far = None
    if parameters["rope_type"] == "longrope":
        far, _ = ROPE_INIT_FUNCTIONS["longrope"](config, seq_len=parameters["original_max_position_embeddings"] + 1)
    return dict(inverse=rotary.inv_freq.tolist(), factor=rotary.attention_scaling, far=far if far is None else far.tolist())


made = [dict(name=name, length=length, size=size, parameters=parameters) | frequencies(length, size, parameters)
        for name, (length, size, parameters) in KINDS.items()]
OUT.write_text(json.dumps(made) + "\n")
