import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';

import { fixtureFolder } from '../fixtures/models.ts';
import { numbersOf, readTensors, type ReadTensor } from '../fixtures/read-safetensors.ts';
import { testFolder } from '../fixtures/safetensors.ts';
import { writeTokens } from '../fixtures/tiny-opt.ts';
import { cpu, readReportOf, succeed } from './helpers.ts';
import { perplexitiesOf } from '../fixtures/measured.ts';

const { path: root, remove } = testFolder('fused-families');
afterAll(remove);
const cache = join(root, 'cache');
const calibration = writeTokens(join(root, 'calibration.safetensors'), [40, 16], 2);
const evaluation = writeTokens(join(root, 'evaluation.safetensors'), [400], 3);
const data = [
  '--calibration-tokens',
  calibration,
  '--evaluation-tokens',
  evaluation,
  '--sequences',
  '40',
  '--calibration-seqlen',
  '16',
];

async function compress(model: string, flags: readonly string[]): Promise<string> {
  const out = join(root, `${model}${flags.join('')}`);
  await succeed(['compress', fixtureFolder(model), '--out', out, ...flags, ...data, ...cpu], { cache });
  return out;
}

const uniform = ['--scheduler', 'uniform', '--sparsity', '0.5'];

describe.each(['bloom-plain', 'gpt_neox-sequential', 'gpt2-plain'])('%s through the command line', (model) => {
  test('50 %, uniform', async () => {
    const folder = await compress(model, uniform);
    const report = readReportOf(folder);
    expect(report.layers).toHaveLength(8);
    for (const { rows, cols, sparsity, error } of report.layers) {
      // The sweep prunes what is not above the threshold, the weight that it is among it.
      expect([0, 1]).toContain(Math.round(rows * cols * (sparsity - 0.5)));
      expect(error).toBeGreaterThan(0);
      expect(error).toBeLessThan(0.5);
    }
    // Masks and tables of older checkpoints are not among the weights; all else is there in its old shape.
    const [before, after] = [readTensors(fixtureFolder(model)), readTensors(folder)];
    const ignored = /\.(attn|attention)\.(bias|masked_bias|rotary_emb\.inv_freq)$/;
    expect(shapes(after)).toEqual(shapes(new Map([...before].filter(([name]) => !ignored.test(name)))));
  });

  test('4 bits', async () => {
    const folder = await compress(model, ['--sparsity', '0', '--bits', '4', '--group-size', 'channel']);
    const report = readReportOf(folder);
    expect(report.layers.map(({ bits }) => bits)).toEqual(new Array(8).fill(4));
    const [set] = perplexitiesOf(report);
    expect((set?.compressed ?? NaN) / (set?.dense ?? NaN)).toBeLessThan(1.2);
  });
});

test('2 of 4 are neighbours among what a layer reads, though GPT-2 stores them below each other', async () => {
  const folder = await compress('gpt2-plain', ['--nm', '2:4']);
  const weight = readTensors(folder).get('h.1.mlp.c_proj.weight');
  expect(weight?.shape).toEqual([32, 8]);
  const values = weight ? numbersOf(weight) : [];
  for (let row = 0; row < 8; row++) {
    const read = Array.from({ length: 32 }, (_, col) => values[col * 8 + row]);
    for (let col = 0; col < 32; col += 4)
      expect(read.slice(col, col + 4).filter((value) => value === 0)).toHaveLength(2);
  }
});

function shapes(tensors: ReadonlyMap<string, ReadTensor>): Record<string, string> {
  return Object.fromEntries([...tensors].map(([name, { dtype, shape }]) => [name, `${dtype} ${shape.join('x')}`]));
}
