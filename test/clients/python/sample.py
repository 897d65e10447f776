"""What every client is given: SAMPLE, a JSON file with token `ids`, the `seqlen` of a window of them, and of the first window how
many are a `prompt` and how many tokens to `generate` after those."""

import json
from dataclasses import dataclass


@dataclass
class Sample:
    ids: list[int]
    seqlen: int
    prompt: int
    generate: int

    @property
    def windows(self) -> list[list[int]]:
        return [self.ids[start : start + self.seqlen] for start in range(0, len(self.ids), self.seqlen)]


def read_sample(path: str) -> Sample:
    with open(path) as file:
        return Sample(**json.load(file))
