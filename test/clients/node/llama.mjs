/**
 * What llama.cpp computes with a GGUF file.
 *
 *     node llama.mjs FILE SAMPLE OUT
 *
 * Writes OUT, float32 [seqlen, vocab]: the logits of the sample's first window (see sample.py). Prints llama.cpp's release, the
 * window's text, the ids that the file's tokenizer gives that text, and the one that it puts in front of every text (null: none).
 */
import { readFileSync, writeFileSync } from 'node:fs';

import { getLlama } from 'node-llama-cpp';

const [file, sampleFile, out] = process.argv.slice(2);
const sample = JSON.parse(readFileSync(sampleFile, 'utf8'));
const ids = sample.ids.slice(0, sample.seqlen);

const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: 'error' });
const model = await llama.loadModel({ modelPath: file });
// A full context would be shifted before its last token.
const context = await model.createContext({ contextSize: ids.length + 1 });
const evaluated = await context
  .getSequence()
  .controlledEvaluate(ids.map((id) => [id, { generateNext: { logits: true } }]));
const rows = evaluated.map(({ next }) =>
  Float32Array.from({ length: next.logits.size }, (_, id) => next.logits.get(id)),
);
writeFileSync(out, Buffer.concat(rows.map((row) => new Uint8Array(row.buffer))));
const text = model.detokenize(ids);
const { shouldPrependBosToken, bos } = model.tokens;
const start = shouldPrependBosToken ? bos : null;
console.log(JSON.stringify({ release: llama.llamaCppRelease.release, text, ids: model.tokenize(text), start }));
await llama.dispose();
