"""What `onnxruntime` computes with an exported ONNX model, one token after another with its cache.

    python onnx_client.py MODEL SAMPLE OUT

MODEL is the .onnx file. Writes OUT, float32 [seqlen, vocab]: the logits of the sample's first window. Prints what is generated greedily after the prompt, and the largest difference of those logits from the ones that the
whole window gives in one run.
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


def main(path: str, sample_file: str, out: str) -> None:
    model = Model(path)
    sample = read_sample(sample_file)
    window = sample.windows[0]
    logits = np.concatenate([model.run([token]) for token in window])
    logits.tofile(out)
    model.reset()
    at_once = float(abs(model.run(window) - logits).max())
    print(json.dumps({"greedy": generate(model, window[: sample.prompt], sample.generate), "atOnce": at_once}))


def generate(model: Model, prompt: list[int], count: int) -> list[int]:
    model.reset()
    generated = [int(model.run(prompt)[-1].argmax())]
    while len(generated) < count:
        generated.append(int(model.run(generated[-1:])[-1].argmax()))
    return generated


main(*sys.argv[1:])
