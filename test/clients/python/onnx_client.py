"""What `onnxruntime` computes with an exported ONNX model, one token after another with its cache.

    python onnx_client.py MODEL SAMPLE OUT

MODEL is the .onnx file. Writes OUT, float32 [seqlen, vocab]: the logits of the sample's first window. Prints what is generated greedily after the prompt, the perplexity over all windows, each in one run, and by how much the
first window's logits in one run differ from those written.
"""

import json
import sys

import numpy as np
import onnxruntime

from sample import read_sample


class Model:
    def __init__(self, path: str) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.past_inputs = [i for i in self.session.get_inputs() if i.name.startswith("past_key_values.")]
        self.outputs = ["logits"] + [i.name.replace("past_key_values", "present") for i in self.past_inputs]
        self.reset()

    def reset(self) -> None:
        """Forgets all tokens."""
        self.past = {i.name: np.zeros((1, i.shape[1], 0, i.shape[3]), np.float32) for i in self.past_inputs}
        self.length = 0

    def run(self, ids: list[int]) -> np.ndarray:
        """The logits after each of these tokens, which follow all that were given before: [ids, vocab]."""
        start, self.length = self.length, self.length + len(ids)
        inputs = {
            "input_ids": np.array([ids], np.int64),
            "attention_mask": np.ones((1, self.length), np.int64),
            "position_ids": np.arange(start, self.length, dtype=np.int64)[None],
        }
        logits, *present = self.session.run(self.outputs, inputs | self.past)
        self.past = dict(zip(self.past, present))
        return logits[0]

    def whole(self, ids: list[int]) -> np.ndarray:
        """The logits after each of these tokens, with none before them."""
        self.reset()
        return self.run(ids)


def main(path: str, sample_file: str, out: str) -> None:
    model = Model(path)
    sample = read_sample(sample_file)
    first = sample.windows[0]
    logits = np.concatenate([model.run([token]) for token in first])
    logits.tofile(out)
    at_once = [model.whole(window) for window in sample.windows]
    losses = [loss(found, window) for found, window in zip(at_once, sample.windows)]
    result = {
        "greedy": generate(model, first[: sample.prompt], sample.generate),
        "perplexity": float(np.exp(np.mean(losses))),
        "windows": len(losses),
        "atOnce": float(abs(at_once[0] - logits).max()),
    }
    print(json.dumps(result))


def loss(logits: np.ndarray, window: list[int]) -> float:
    """The mean loss of a window's seqlen - 1 predictions, in nats."""
    rows = logits[:-1].astype(np.float64)
    rows -= rows.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(rows).sum(axis=1)) - rows[np.arange(len(rows)), window[1:]]))


def generate(model: Model, prompt: list[int], count: int) -> list[int]:
    generated = [int(model.whole(prompt)[-1].argmax())]
    while len(generated) < count:
        generated.append(int(model.run(generated[-1:])[-1].argmax()))
    return generated


main(*sys.argv[1:])
