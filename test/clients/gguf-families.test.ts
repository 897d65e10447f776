import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

import { openTokenizer } from '../../src/worker/texts/tokenizer.ts';
import { openModel } from '../../src/worker/model/open.ts';
import { demoTexts } from '../fixtures/demo-texts.ts';
import { nastyStrings } from '../fixtures/tokenizers.ts';
import { meanKl, readFloats } from './compare.ts';
import { cli, work } from './exports.ts';
import { ourLogits } from './ours.ts';
import { client, output, pythonOfClients } from './program.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const root = `${work}/families`;
const SEQLEN = 256;

const isNotNfc = (text: string): boolean => text.normalize('NFC') !== text;
/** A letter that ignoring case makes an s of. */
const hasLongS = (text: string): boolean => text.includes("'\u017f");

/** The tiny models of tiny_families.py, and the texts to which llama.cpp gives other tokens than the tokenizer: why is in docs/formats.md. */
const models: Readonly<Record<string, (text: string) => boolean>> = {
  llama3: hasLongS,
  'llama-linear': () => false,
  'llama-yarn': () => false,
  mistral: (text) => /^[ ▁]|<s>|<\/s>|<unk>|\[\/?INST\]/.test(text),
  tekken: (text) => /(?![a-z])[\p{L}\p{M}]/iu.test(text),
  qwen2: (text) => isNotNfc(text) || hasLongS(text),
  qwen3: (text) => isNotNfc(text) || hasLongS(text),
  gemma2: (text) => text.includes('▁▁'),
  gemma3: (text) => text.includes('▁▁'),
  bloom: () => false,
  gpt_neox: isNotNfc,
  gpt2: () => false,
};
const names = Object.keys(models);

const runs = {
  pruned: ['--scheduler', 'uniform', '--sparsity', '0.5'],
  quantized: ['--scheduler', 'uniform', '--sparsity', '0.5', '--bits', '4', '--group-size', '32', '--symmetric'],
} as const;
type Run = keyof typeof runs;

const runFolder = (name: string, run: Run): string => `${root}/${name}-${run}`;
const ggufFile = (name: string, run: Run): string => `${root}/${name}-${run}-gguf/model.gguf`;

beforeAll(async () => {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  await output(pythonOfClients(), [here('python/tiny_families.py'), here('../fixtures/tokenizers'), root]);
});

async function exported(name: string, run: Run): Promise<string> {
  const calibration = ['--calibration', demoTexts.calibration, '--sequences', '8', '--calibration-seqlen', '64'];
  const folder = runFolder(name, run);
  await output(process.execPath, [cli, 'compress', `${root}/${name}`, '--out', folder, ...runs[run], ...calibration]);
  await output(process.execPath, [cli, 'export', folder, '--format', 'gguf', '--out', `${folder}-gguf`]);
  return folder;
}

/** Ids all over the vocabulary. */
function windowOf(vocab: number): number[] {
  return Array.from({ length: SEQLEN }, (_, i) => (7919 * i + 13 * i * i) % vocab);
}

async function divergence(name: string, run: Run): Promise<{ kl: number; ofDense: number }> {
  const folder = await exported(name, run);
  const { vocab } = (await openModel(folder)).family;
  const ids = windowOf(vocab);
  const [sample, out] = [`${root}/sample.json`, `${root}/logits.f32`];
  writeFileSync(sample, JSON.stringify({ ids, seqlen: SEQLEN }));
  await client('llama.mjs', [ggufFile(name, run), sample, out], z.object({ release: z.string() }));
  const ours = await ourLogits(folder, Int32Array.from(ids));
  const dense = await ourLogits(`${root}/${name}`, Int32Array.from(ids));
  return { kl: meanKl(ours, readFloats(out), vocab), ofDense: meanKl(ours, dense, vocab) };
}

describe.each(names)('%s', (name) => {
  test('llama.cpp gives the probabilities that Tamis gives', async () => {
    const { kl, ofDense } = await divergence(name, 'pruned');
    console.log(`${name}, 50 %: mean KL ${kl.toExponential(2)} (of the dense model ${ofDense.toExponential(2)})`);
    expect(kl).toBeLessThan(2e-5);
    // Else the bound would tell nothing.
    expect(ofDense).toBeGreaterThan(1e-3);
  });

  test('and of 4-bit layers as near as its kernels round activations', async () => {
    const { kl, ofDense } = await divergence(name, 'quantized');
    console.log(
      `${name}, 50 %, 4 bits: mean KL ${kl.toExponential(2)} (of the dense model ${ofDense.toExponential(2)})`,
    );
    expect(kl).toBeLessThan(ofDense / 20);
  });

  test('llama.cpp gives nasty strings the tokens that Tamis gives', async () => {
    const vocabulary = z.object({ ids: z.array(z.array(z.int())), start: z.int().nullable() });
    const form = z.object({ vocabularies: z.tuple([vocabulary]) });
    const texts = here('../fixtures/tokenizers/strings.json');
    const { vocabularies } = await client('vocabulary.mjs', [texts, ggufFile(name, 'pruned')], form);
    const [{ ids, start }] = vocabularies;
    const tokenizer = await openTokenizer(runFolder(name, 'pruned'));
    const other = nastyStrings.filter((text, i) => {
      const theirs = [...(start === null ? [] : [start]), ...(ids[i] ?? [])];
      return theirs.join() !== tokenizer.encode(text).join();
    });
    console.log(`${name}: other tokens of ${other.length} of ${nastyStrings.length} strings`);
    expect(other.filter((text) => !models[name]?.(text))).toEqual([]);
  });
});
