import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openModel } from '../../src/worker/model/open.ts';
import { stageMemory, total } from '../../src/worker/plan/memory.ts';
import { shapeOf, type ModelShape } from '../../src/worker/model/shape.ts';
import { diskBytes } from '../../src/worker/plan/storage.ts';
import { stageOperations, type Workload } from '../../src/worker/plan/workload.ts';
import { testFolder } from '../fixtures/safetensors.ts';
import { pruning } from '../fixtures/workload.ts';

const folder = testFolder('plan-shapes');
afterAll(folder.remove);

const script = fileURLToPath(new URL('../../scripts/make-model.mjs', import.meta.url));

/** 128 sequences and 141 windows (WikiText-2's of OPT) of 2048 tokens, scheduled. */
const work: Workload = { ...pruning, evaluation: { sequences: 141, seqlen: 2048 } };

/** A model's sums, written out from the numbers of its architecture. All weights take two bytes. */
interface ByHand {
  readonly name: string;
  readonly blocks: number;
  /** Of a block. */
  readonly layers: number;
  readonly parameters: number;
  /** Weights of a block's layers, and of those that are not behind the last tap. */
  readonly weights: number;
  readonly beforeLast: number;
  readonly biases: number;
  readonly hidden: number;
  readonly ffn: number;
  readonly vocab: number;
  /** rows * cols² of all layers. */
  readonly sweeps: number;
  /** The last layer's, whose Hessian is the largest. */
  readonly largest: string;
}

const opt66b: ByHand = {
  name: 'opt-66b',
  blocks: 64,
  layers: 6,
  // Embeddings of 50272 tokens and 2048 + 2 positions; a block: q, k, v, out 9216 x 9216, fc1 and fc2, their biases, two norms.
  parameters:
    (50272 + 2050) * 9216 + 64 * (4 * 9216 ** 2 + 2 * 36864 * 9216 + 4 * 9216 + 36864 + 9216 + 2 * 2 * 9216) + 2 * 9216,
  weights: 4 * 9216 ** 2 + 2 * 36864 * 9216,
  beforeLast: 4 * 9216 ** 2 + 36864 * 9216,
  biases: 4 * 9216 + 36864 + 9216,
  hidden: 9216,
  ffn: 36864,
  vocab: 50272,
  sweeps: 4 * 9216 ** 3 + 36864 * 9216 ** 2 + 9216 * 36864 ** 2,
  largest: 'model.decoder.layers.0.fc2',
};

const bloom176b: ByHand = {
  name: 'bloom-176b',
  blocks: 70,
  layers: 4,
  // Embeddings and their norm; a block: query_key_value 43008 x 14336, dense, 57344 wide MLP, biases, two norms; a norm.
  parameters:
    250880 * 14336 +
    2 * 14336 +
    70 * (4 * 14336 ** 2 + 2 * 57344 * 14336 + 4 * 14336 + 57344 + 14336 + 2 * 2 * 14336) +
    2 * 14336,
  weights: 4 * 14336 ** 2 + 2 * 57344 * 14336,
  beforeLast: 4 * 14336 ** 2 + 57344 * 14336,
  biases: 3 * 14336 + 14336 + 57344 + 14336,
  hidden: 14336,
  ffn: 57344,
  vocab: 250880,
  sweeps: 4 * 14336 ** 3 + 57344 * 14336 ** 2 + 14336 * 57344 ** 2,
  largest: 'h.0.mlp.dense_4h_to_h',
};

describe.each([opt66b, bloom176b])('the plan of the shape $name', (model) => {
  const { blocks, hidden, ffn, vocab, weights, beforeLast } = model;
  const planned: Workload = { ...work, blocks };
  let shape: ModelShape;
  beforeAll(async () => {
    const path = join(folder.path, model.name);
    const made = spawnSync(process.execPath, [script, path, '--shape', model.name, '--empty', '--shard-size', '40GB']);
    expect(made.stderr.toString()).toBe('');
    shape = shapeOf(await openModel(path));
    const files = readdirSync(path).map((file) => statSync(join(path, file)));
    expect(files.reduce((sum, { size }) => sum + size, 0)).toBeGreaterThan(2 * model.parameters);
    expect(files.reduce((sum, file) => sum + 512 * file.blocks, 0)).toBeLessThan(2 ** 24);
  });

  test('parameters and disk', () => {
    expect(shape.parameters).toBe(model.parameters);
    expect(shape.bytes).toBe(2 * model.parameters);
    const { outputBytes, activationBytes, totalBytes } = diskBytes(shape, planned, [], 0);
    expect(outputBytes).toBe(2 * model.parameters);
    // Of 128 sequences the inputs and the outputs of a block, float32: more than the evaluation's 141 windows once.
    expect(activationBytes).toBe(2 * 128 * 2048 * hidden * 4);
    expect(totalBytes).toBe(2 * model.parameters + 2 * 128 * 2048 * hidden * 4);
  });

  test('disk of what is measured before: a branch for each layer', () => {
    const sensitivity = { sequences: 16, seqlen: 128, layers: true, bits: 0 };
    const width = 2048 * hidden * 4;
    const choice = {
      candidates: 3,
      targets: 'layer' as const,
      denseCandidates: 0,
      calibration: { sequences: 16, seqlen: 2048 },
      heldBack: { sequences: 16, seqlen: 2048 },
    };
    const { activationBytes, totalBytes } = diskBytes(shape, { ...planned, sensitivity, choice }, [], 0);
    // 16 sequences of 128 tokens are as much as one of 2048. The layer that is pruned last is as large as any.
    const branches = (1 + blocks * model.layers) * width + 2 * ffn * hidden;
    expect(activationBytes).toBe(128 * width + branches);
    // None of it is left when the model comes out.
    expect(totalBytes).toBe(2 * model.parameters + 2 * 128 * width);
    const oneBlock: Workload = { ...planned, estimate: null, evaluation: null, sensitivity: null, choice, blocks: 1 };
    const tried = diskBytes(shape, { ...oneBlock, calibration: { sequences: 1, seqlen: 2048 } }, [], 0);
    expect(tried.activationBytes).toBe((16 + 16) * width + 2 * (weights + model.biases + 4 * hidden));
  });

  test('operations', () => {
    const attention = 2 * 2 * 2048 ** 2 * hidden;
    const forward = 2 * 2048 * weights + attention;
    const taps = 2 * 2048 * beforeLast + attention;
    // Taps: three of the block's width and the last layer's input.
    const gram = 2048 * (3 * hidden * (hidden + 1) + ffn * (ffn + 1));
    const factor = (2 / 3) * (3 * hidden ** 3 + ffn ** 3);
    const expectClose = (
      operations: ReturnType<typeof stageOperations>,
      expected: Readonly<Record<string, number>>,
    ): void => {
      expect(Object.keys(operations).sort()).toEqual(Object.keys(expected).sort());
      for (const [kind, count] of Object.entries(operations))
        expect(count / (expected[kind] ?? NaN)).toBeCloseTo(1, 12);
    };
    expectClose(stageOperations(shape, planned, 'compress'), {
      forward: 128 * (blocks * taps + (blocks - 1) * forward),
      gram: 128 * blocks * gram,
      factor: blocks * factor,
      solve: blocks * 2 * model.sweeps,
    });
    expectClose(stageOperations(shape, planned, 'estimate'), {
      forward: 128 * ((blocks - 1) * forward + taps),
      gram: 128 * blocks * gram,
      factor: blocks * factor,
      statistics: blocks * model.sweeps,
    });
    expectClose(stageOperations(shape, planned, 'evaluate-dense'), {
      forward: 141 * blocks * forward,
      head: 141 * 2 * vocab * hidden * 2048,
    });
  });

  test('memory: while the sequences go through a block, or while the largest Hessian becomes its factor', () => {
    const triangle = (n: number): number => 8 * ((n * (n + 1)) / 2);
    const grams = 3 * triangle(hidden) + triangle(ffn);
    // Biases and two norms; packed, float32 weights are 5 % larger.
    const other = model.biases + 2 * 2 * hidden;
    const packed = (elements: number): number => 1.05 * 4 * (elements + other);
    // A run has one sequence. Two inputs; the taps; the first three of them once more when fc1 has its results, its activation
    // function as many, and the block's input is kept, all of these twice; where there are outputs, one that is written and one more.
    const width = 4 * 2048 * hidden;
    const run = (2 + (3 + 4) + 3 + 2 * (4 + 4 + 1)) * width;
    const ids = (4 * 128 + 28 * 141) * 2048;
    const highest = (stage: 'estimate' | 'compress', workload: Workload): number => {
      const { held, layer } = stageMemory(shape, workload, stage);
      expect(layer).toBe(model.largest);
      // The process itself is measured, and no matter of the model.
      return total(held) - (held.process ?? 0) - (held.garbage ?? 0);
    };
    const compress = Math.max(packed(beforeLast) + grams + run, triangle(ffn) + 4 * ffn ** 2);
    expect(highest('compress', planned) / (ids + compress)).toBeCloseTo(1, 9);
    // An estimate goes through whole blocks and keeps the factors of the other taps.
    const outputs = 2 * width;
    const estimate = Math.max(
      packed(weights) + grams + run + outputs,
      triangle(ffn) + 4 * (ffn ** 2 + 3 * hidden ** 2),
    );
    expect(highest('estimate', planned) / (ids + estimate)).toBeCloseTo(1, 9);
    // With sensitivities a block is opened, its largest layer in float32 besides, with all factors there.
    const factors = 4 * (ffn ** 2 + 3 * hidden ** 2);
    const branch = packed(weights) + 4 * ffn * hidden + factors;
    const measured = { ...planned, sensitivity: { sequences: 16, seqlen: 128, layers: true, bits: 0 } };
    expect(highest('estimate', measured) / (ids + Math.max(estimate, branch))).toBeCloseTo(1, 9);
    // That is hardly more than the block's run with its taps and Gram matrices.
    expect(branch / estimate).toBeLessThan(1.03);
  });
});
