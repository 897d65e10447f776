"""What `onnxruntime-genai` generates with an exported ONNX folder.

    python genai_client.py FOLDER SAMPLE

Prints what is generated greedily after the sample's prompt, the prompt's text, and the ids that the folder's tokenizer
gives that text.
"""

import json
import sys

import numpy as np
import onnxruntime_genai

from sample import read_sample


def main(folder: str, sample_file: str) -> None:
    model = onnxruntime_genai.Model(folder)
    sample = read_sample(sample_file)
    prompt = np.array(sample.windows[0][: sample.prompt], np.int32)
    params = onnxruntime_genai.GeneratorParams(model)
    params.set_search_options(max_length=sample.prompt + sample.generate, do_sample=False)
    generator = onnxruntime_genai.Generator(model, params)
    generator.append_tokens(prompt[None])
    while generator.token_count() < sample.prompt + sample.generate:
        generator.generate_next_token()
    tokenizer = onnxruntime_genai.Tokenizer(model)
    text = tokenizer.decode(prompt)
    greedy = generator.get_sequence(0)[sample.prompt :].tolist()
    print(json.dumps({"greedy": greedy, "text": text, "ids": tokenizer.encode(text).tolist()}))


main(*sys.argv[1:])
