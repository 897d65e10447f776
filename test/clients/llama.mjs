/**
 * What llama.cpp makes of a GGUF file.
 *
 *     node llama.mjs FILE IDS OUT
 *
 * IDS is a JSON file with an array of token ids, all of one sequence. Writes OUT, float32 [ids, vocab]: after each token the
 * logits of the next. Prints llama.cpp's release, the text that the ids stand for, and what ids that text gets again.
 */
import { readFileSync, writeFileSync } from 'node:fs';

import { getLlama } from 'node-llama-cpp';

const [file, idsFile, out] = process.argv.slice(2);
const ids = JSON.parse(readFileSync(idsFile, 'utf8'));

const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: 'error' });
const model = await llama.loadModel({ modelPath: file });
const context = await model.createContext({ contextSize: ids.length });
const evaluated = await context
  .getSequence()
  .controlledEvaluate(ids.map((id) => [id, { generateNext: { logits: true } }]));
const rows = evaluated.map(({ next }) =>
  Float32Array.from({ length: next.logits.size }, (_, id) => next.logits.get(id)),
);
writeFileSync(out, Buffer.concat(rows.map((row) => new Uint8Array(row.buffer))));
const text = model.detokenize(ids);
console.log(JSON.stringify({ release: llama.llamaCppRelease.release, text, ids: model.tokenize(text) }));
await llama.dispose();
