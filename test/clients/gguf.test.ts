import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';
import { z } from 'zod';

import { openTokenizer } from '../../src/worker/texts/tokenizer.ts';
import { openModel } from '../../src/worker/model/open.ts';
import { readTensors } from '../fixtures/read-safetensors.ts';
import { expectWeights, meanKl, readFloats } from './compare.ts';
import { exportFolder, runFolder, runs, runsAs, sampleFile, work } from './exports.ts';
import { ourLogits } from './ours.ts';
import { client } from './program.ts';

/**
 * A group's minimum in q4_1 is a float16, rounded from the scale times its zero point: the weights differ by at most so much of their
 * layer's range, which is a sixteenth of a step of 4 bits.
 */
const q4_1Difference = 2 ** -8;

describe.each(runsAs('gguf'))('%s', (run) => {
  const file = (): string => {
    const folder = exportFolder(run, 'gguf');
    const name = readdirSync(folder).find((entry) => entry.endsWith('.gguf'));
    if (name === undefined) throw new Error(`no .gguf in ${folder}`);
    return join(folder, name);
  };

  test('the gguf package reads the weights of the run', async () => {
    const out = `${work}/gguf/${runsAs('gguf').indexOf(run)}`;
    const form = z.object({ types: z.record(z.string(), z.string()) });
    const { types } = await client('gguf_reader.py', [file(), out, 'bfloat16'], form);
    const held = [...new Set(Object.values(types))];
    const { tensors, difference } = expectWeights(out, runFolder(run), held.includes('Q4_1') ? q4_1Difference : 0);
    expect(tensors).toBe(readTensors(runFolder(run)).size);
    console.log(
      `gguf, ${run} (${held.join(', ')}): ${tensors} tensors differ by at most ${difference.toExponential(1)} of a range`,
    );
  });

  test('llama.cpp gives the probabilities that Tamis gives', async () => {
    const out = `${work}/llama.f32`;
    const form = z.object({ release: z.string(), text: z.string(), ids: z.array(z.int()), start: z.int() });
    const { release, text, ids, start } = await client('llama.mjs', [file(), sampleFile, out], form);
    const { vocab } = (await openModel(runFolder(run))).family;
    const ours = await ourLogits(runFolder(run));
    const kl = meanKl(ours, readFloats(out), vocab);
    const ofDense = meanKl(ours, await ourLogits(runs[run].model), vocab);
    console.log(
      `gguf, ${run}: llama.cpp ${release}: mean KL from ours ${kl.toExponential(2)} over ${ours.length / vocab} positions ` +
        `(of the dense model from ours: ${ofDense.toExponential(2)})`,
    );
    expect(kl).toBeLessThan(1e-3);
    // Else the bound would tell nothing.
    expect(kl).toBeLessThan(ofDense);
    const tokenizer = await openTokenizer(runFolder(run));
    expect([start, ...ids]).toEqual([...tokenizer.encode(text)]);
  });
});
