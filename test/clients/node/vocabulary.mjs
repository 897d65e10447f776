/**
 * The tokens that llama.cpp gives texts.
 *
 *     node vocabulary.mjs TEXTS FILE ...
 *
 * TEXTS: a JSON array of texts. Prints llama.cpp's release and for each GGUF file, of which it reads the vocabulary alone, the ids of
 * every text, special tokens among it taken for what they are, and the one that it puts in front of every text (null: none).
 */
import { readFileSync } from 'node:fs';

import { getLlama } from 'node-llama-cpp';

const [textsFile, ...files] = process.argv.slice(2);
const texts = JSON.parse(readFileSync(textsFile, 'utf8'));

const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: 'error' });
const vocabularies = [];
for (const modelPath of files) {
  const model = await llama.loadModel({ modelPath, vocabOnly: true });
  const { shouldPrependBosToken, bos } = model.tokens;
  vocabularies.push({
    ids: texts.map((text) => model.tokenize(text, true)),
    start: shouldPrependBosToken ? bos : null,
  });
  await model.dispose();
}
console.log(JSON.stringify({ release: llama.llamaCppRelease.release, vocabularies }));
await llama.dispose();
