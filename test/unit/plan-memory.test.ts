import { describe, expect, it } from 'vitest';

import { quantizationSchema } from '../../src/contract/recipe.ts';
import { constants } from '../../src/worker/native.ts';
import { stageMemory, total } from '../../src/worker/plan/memory.ts';
import type { ModelShape } from '../../src/worker/model/shape.ts';
import type { Workload } from '../../src/worker/plan/workload.ts';
import { pruning } from '../fixtures/workload.ts';

const MiB = 2 ** 20;

/** OPT in float16; its vocabulary goes in one pass. */
function opt(hidden: number): ModelShape {
  const attention = ['attn_in', 'attn_in', 'attn_in', 'attn_out'].map((tap, index) => ({
    name: ['q_proj', 'k_proj', 'v_proj', 'out_proj'][index] ?? '',
    rows: hidden,
    cols: hidden,
    tap,
  }));
  const mlp = [
    { name: 'fc1', rows: 4 * hidden, cols: hidden, tap: 'mlp_in' },
    { name: 'fc2', rows: hidden, cols: 4 * hidden, tap: 'mlp_mid' },
  ];
  return {
    blocks: 2,
    hidden,
    vocab: 4096,
    width: hidden,
    vocabularyRows: 4096,
    vocabularyPasses: 1,
    parameters: 0,
    bytes: 0,
    weightBytes: 2,
    layers: [...attention, ...mlp],
    otherElements: 13 * hidden,
  };
}

const work: Workload = { ...pruning, blocks: 2, calibration: { sequences: 16, seqlen: 512 } };

describe('the memory of a stage', () => {
  it('is, while sequences go through a block, that of its weights, arrays and Gram matrices', () => {
    const held = stageMemory(opt(1024), work, 'estimate').held;
    // All layers, 12 * 1024² weights, and 13 * 1024 other values, in float32, packed.
    expect(held['block-weights']).toBeCloseTo(1.05 * (48 * MiB + 13 * 4096), 0);
    // 2048 tokens of 1024 values are 8 MiB. In and out: three of them. Results: four taps of 1 + 1 + 1 + 4 and the output;
    // the first three of the taps once more when fc1 has its 4, its activation function 4 more, and what is added to later 1.
    expect(held['block-run']).toBe((3 + 8 + 3 + 2 * (4 + 4 + 1)) * 8 * MiB);
    expect(held.grams).toBe(8 * (3 * ((1024 * 1025) / 2) + (4096 * 4097) / 2));
    expect(held.garbage).toBe(64 * MiB);
    expect(held.tokens).toBe(16 * 512 * 4);
  });

  it('leaves out, without its output, what comes after the last tap', () => {
    const held = stageMemory(opt(1024), { ...work, blocks: 1 }, 'compress').held;
    expect(held['block-weights']).toBeCloseTo(1.05 * (32 * MiB + 13 * 4096), 0);
    expect(held['block-run']).toBe((2 + 7 + 3 + 2 * (4 + 4 + 1)) * 8 * MiB);
  });

  it('is, of a large model and short runs, that of Hessians and factors', () => {
    const hidden = 9216;
    const short: Workload = { ...work, blocks: 1, calibration: { sequences: 1, seqlen: 128 } };
    const held = stageMemory(opt(hidden), short, 'compress').held;
    // fc2's Gram matrix, 36864 wide, while its factor is made.
    expect(held.grams).toBe(4 * (4 * hidden) * (4 * hidden + 1));
    expect(held.factors).toBe(4 * (4 * hidden) ** 2);
    const estimating = stageMemory(opt(hidden), short, 'estimate').held;
    // As before, with the factors of the other taps still there.
    expect(estimating.factors).toBe(4 * ((4 * hidden) ** 2 + 3 * hidden ** 2));
    expect(total(estimating)).toBeGreaterThan(total(held));
  });

  it('is, by ADMM, that of Hessians beside factors, of the weights twice, and of an inverse', () => {
    const hidden = 9216;
    const wide = 4 * hidden;
    const short: Workload = { ...work, blocks: 1, calibration: { sequences: 1, seqlen: 128 } };
    const { held, layer } = stageMemory(opt(hidden), { ...short, method: 'admm' }, 'compress');
    // fc2: U, A, an inverse and, where that is another one, an operand; its weights and the iterate, and a bit a weight.
    const { operandBytes } = constants.method.admm;
    const inverse = operandBytes === 4 ? 4 : 4 + operandBytes;
    expect(layer).toBe('fc2');
    expect(held.factors).toBe((4 + 4 + inverse) * wide ** 2);
    expect(held.layer).toBe((4 + 4 + 1 / 8) * hidden * wide);
    expect(held.grams).toBe(0);
    // Where sensitivities are measured, A of all taps is there with their factors.
    const measured: Workload = { ...short, sensitivity: { sequences: 1, seqlen: 128, layers: true, bits: 0 } };
    const alone = stageMemory(opt(hidden), { ...measured, method: 'admm' }, 'estimate');
    expect(alone.held.factors).toBe(8 * (3 * hidden ** 2 + wide ** 2) + inverse * wide ** 2);
    const swept = stageMemory(opt(hidden), measured, 'estimate');
    expect(swept.held.factors).toBe(4 * (3 * hidden ** 2 + wide ** 2));
  });

  it('counts scales and zero points of a layer as it is swept, and as they are stored', () => {
    const quantization = quantizationSchema.parse({ bits: 4, groupSize: 32 });
    const short: Workload = { ...work, blocks: 1, calibration: { sequences: 1, seqlen: 128 } };
    const nearest: Workload = { ...short, method: 'magnitude', estimate: null, calibration: null };
    const layerOf = (workload: Workload): number => stageMemory(opt(1024), workload, 'compress').held.layer ?? NaN;
    // fc1 and fc2 have 4096 by 32 and 1024 by 128 grids: two and one float32 and a byte each.
    expect(layerOf({ ...nearest, quantization }) - layerOf(nearest)).toBe(4096 * 32 * 13);
    const channel = { ...quantization, groupSize: null };
    expect(layerOf({ ...nearest, quantization: channel }) - layerOf(nearest)).toBe(4096 * 13);
  });

  const short: Workload = { ...work, calibration: { sequences: 1, seqlen: 128 } };

  it('is, while a block runs with one layer pruned, that of the block, of its run without taps and of all its factors', () => {
    const measured: Workload = { ...short, sensitivity: { sequences: 16, seqlen: 128, layers: true, bits: 0 } };
    const { held, layer } = stageMemory(opt(1024), measured, 'estimate');
    expect(held['block-weights']).toBeCloseTo(1.05 * (48 * MiB + 13 * 4096), 0);
    // Two inputs and the output that is written; the output; what fc1 and its activation function give, and what is added to later.
    expect(held['block-run']).toBe((3 + 1 + 2 * (4 + 4 + 1)) * 8 * MiB);
    expect(held.factors).toBe(4 * (3 * 1024 ** 2 + 4096 ** 2));
    expect(held.grams).toBeUndefined();
    expect(layer).toBe('fc2');
  });

  it('is, of a large vocabulary, that of the logits that are compared', () => {
    const shape = { ...opt(64), vocab: 2 ** 17, vocabularyRows: 2 ** 16, vocabularyPasses: 2 };
    const measured: Workload = { ...short, sensitivity: { sequences: 16, seqlen: 128, layers: true, bits: 0 } };
    const held = stageMemory(shape, measured, 'estimate').held;
    // A branch's, twice, and the reference's in float32, the reference's exponentials in float64; the slice's input.
    const slice = 256 * ((3 * 4 + 8) * 2 ** 16 + 4 * 64);
    // Of 2048 tokens, of the dense model and of each of twelve layers.
    expect(held.logits).toBe(slice + 32 * 2048 * (1 + 12));
    expect(held.vocabulary).toBe(1.05 * 4 * 2 ** 16 * 64);
  });

  it('is, of a trial, that of a compression, or of the passes of what is held back', () => {
    const [few, many] = [
      { sequences: 1, seqlen: 128 },
      { sequences: 16, seqlen: 512 },
    ];
    const trial = (calibration: typeof few, heldBack: typeof few): ReturnType<typeof stageMemory> =>
      stageMemory(
        opt(1024),
        { ...work, choice: { candidates: 3, targets: 'layer', denseCandidates: 0, calibration, heldBack } },
        'choose',
      );
    expect(trial(many, few)).toEqual(stageMemory(opt(1024), work, 'compress'));
    const held = stageMemory(opt(1024), { ...work, evaluation: many }, 'evaluate-dense').held;
    expect({ ...trial(few, many).held, tokens: 0 }).toEqual({ ...held, tokens: 0 });
  });

  it('is that of one stored layer where nothing is calibrated', () => {
    const magnitude: Workload = { ...work, method: 'magnitude', estimate: null, calibration: null };
    const held = stageMemory(opt(1024), magnitude, 'compress').held;
    expect(held.layer).toBe(4 * 1024 * 1024 * 2);
    expect(held.grams).toBeUndefined();
  });

  it('counts the text that is tokenized at once, and in all stages what tokenizing leaves', () => {
    const held = (stage: 'calibration' | 'fingerprint', texts: number[]): number | undefined =>
      stageMemory(opt(1024), { ...work, texts }, stage).held.text;
    expect(held('calibration', [10, 4_000_000])).toBe(160_000_000);
    expect(held('calibration', [10, 1000])).toBe(72 * MiB);
    expect(held('fingerprint', [10, 4_000_000])).toBe(72 * MiB);
    expect(held('fingerprint', [0, 0])).toBeUndefined();
  });

  it('does not grow with the number of sequences, but for their ids', () => {
    const few = stageMemory(opt(1024), work, 'compress').held;
    const many = stageMemory(opt(1024), { ...work, calibration: { sequences: 1600, seqlen: 512 } }, 'compress').held;
    expect(total(many) - total(few)).toBe((1600 - 16) * 512 * 4);
  });
});
