/**
 * What transformers.js generates with an exported ONNX folder.
 *
 *     node transformers-js.mjs FOLDER SAMPLE
 *
 * Prints what is generated greedily after the sample's prompt (see sample.py), the prompt's text, and the ids that the folder's
 * tokenizer gives that text.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';

import { AutoModelForCausalLM, AutoTokenizer, Tensor, env } from '@huggingface/transformers';

const [folder, sampleFile] = process.argv.slice(2);
const sample = JSON.parse(readFileSync(sampleFile, 'utf8'));
const prompt = sample.ids.slice(0, sample.prompt);
env.allowRemoteModels = false;
env.localModelPath = dirname(folder);

const model = await AutoModelForCausalLM.from_pretrained(basename(folder));
const tokenizer = await AutoTokenizer.from_pretrained(basename(folder));
const row = (values) => new Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
const generated = await model.generate({
  input_ids: row(prompt),
  attention_mask: row(prompt.map(() => 1)),
  max_new_tokens: sample.generate,
  do_sample: false,
  // No token ends it.
  eos_token_id: -1,
});
const greedy = [...generated.data].slice(prompt.length).map(Number);
const text = tokenizer.decode(prompt, { skip_special_tokens: true });
console.log(JSON.stringify({ greedy, text, ids: tokenizer.encode(text) }));
