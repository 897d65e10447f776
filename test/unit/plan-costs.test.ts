import { describe, expect, it } from 'vitest';

import { constants, type TensorInfo } from '../../src/worker/native.ts';
import { openOpt } from '../../src/worker/families/opt/model.ts';
import {
  blockOperations,
  headOperations,
  invertOperations,
  iterateOperations,
  spectrumOperations,
  type LayerShape,
} from '../../src/worker/model/costs.ts';
import type { Rates } from '../../src/worker/plan/rates.ts';
import { stageSeconds } from '../../src/worker/plan/seconds.ts';
import { shapeOf } from '../../src/worker/model/shape.ts';
import { stageOperations, stagesOf, type Workload } from '../../src/worker/plan/workload.ts';
import { quantizationSchema } from '../../src/contract/recipe.ts';
import { pruning } from '../fixtures/workload.ts';

interface Size {
  readonly hidden: number;
  readonly blocks: number;
  readonly vocab: number;
}
const opt125m: Size = { hidden: 768, blocks: 12, vocab: 50272 };
const opt66b: Size = { hidden: 9216, blocks: 64, vocab: 50272 };

/** OPT's layers as the paper's table of sizes gives them: ffn is four times the hidden size. */
function optLayers(hidden: number): LayerShape[] {
  const attention = ['attn_in', 'attn_in', 'attn_in'].map((tap) => ({ rows: hidden, cols: hidden, tap }));
  return [
    ...attention,
    { rows: hidden, cols: hidden, tap: 'attn_out', sum: 'attn_sum' },
    { rows: 4 * hidden, cols: hidden, tap: 'mlp_in' },
    { rows: hidden, cols: 4 * hidden, tap: 'mlp_mid', sum: 'mlp_sum' },
  ];
}

/** Operations counted by the loops themselves: `body` gives those of one turn. */
function loop(count: number, body: (i: number) => number): number {
  let operations = 0;
  for (let i = 0; i < count; i++) operations += body(i);
  return operations;
}

/** y[r] += w[r][c] * x[c] for every token. */
const productByLoops = ({ rows, cols }: LayerShape, tokens: number): number =>
  loop(tokens, () => loop(rows, () => 2 * cols));
/** For every query and every key: a dot product over the width of all heads together, then the weighted sum of values. */
const attentionByLoops = (tokens: number, width: number): number =>
  loop(tokens, () => loop(tokens, () => 2 * width + 2 * width));
/** G[i][j] += x[i] * x[j] for j <= i. */
const gramByLoops = (cols: number, tokens: number): number => loop(tokens, () => loop(cols, (i) => 2 * (i + 1)));
/**
 * Cholesky, row by row: L[i][j] needs j multiply-adds for every j <= i, so row i needs i (i + 1) / 2 of them. The inverse of a triangle:
 * X[i][j] needs i - j, row i as many again.
 */
const factorByLoops = (n: number): number => loop(n, (i) => i * (i + 1)) + loop(n, (i) => i * (i + 1));
const { iterations, penalties, polish, refinements } = constants.method.admm;

/**
 * ADMM: in each iteration every entry of a layer as large as this is a dot product as long as a row; so it is in each step of the polish
 * and in the residual that it begins with, and for the energies of the output and of what it loses.
 */
const iterationsByLoops = (layer: LayerShape): number => productsByLoops(iterations + (1 + polish) + 2, layer);
/** Codes chosen anew: what is lost times the Hessian, then in each pass every column's changes on all columns; and both energies. */
const quantizingByLoops = (layer: LayerShape): number => productsByLoops(1 + refinements + 2, layer);
const productsByLoops = (count: number, { rows, cols }: LayerShape): number =>
  loop(count, () => loop(rows, () => loop(cols, () => 2 * cols)));
/** For each penalty: Cholesky, the inverse of the triangle, and that one's square, row by row, one triangle of it. */
const inversesByLoops = (n: number): number =>
  loop(penalties, () => factorByLoops(n) + loop(n, (i) => 2 * (i + 1) * (n - i)));
/** For every column, in every row the error times U is subtracted from the columns after it. */
const sweepByLoops = ({ rows, cols }: LayerShape): number => loop(cols, (j) => 2 * rows * (cols - 1 - j));

describe.each([
  ['OPT-125M', opt125m, 2048],
  ['OPT-66B', opt66b, 2048],
] as const)('operations of a block of %s', (_, { hidden }, seqlen) => {
  const layers = optLayers(hidden);
  const operations = blockOperations(layers, seqlen);
  const widths = [hidden, hidden, hidden, 4 * hidden];
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

  it('of a forward pass are those of the loops', () => {
    const attention = attentionByLoops(seqlen, hidden);
    expect(operations.forward).toBe(sum(layers.map((layer) => productByLoops(layer, seqlen))) + attention);
    expect(operations.taps).toBe(sum(layers.slice(0, -1).map((layer) => productByLoops(layer, seqlen))) + attention);
  });

  it('of passes up to each tap or sum are those of the loops', () => {
    // Up to the queries' input nothing is multiplied; four layers up to what the attention's output is added to and as many up to the MLP; then all.
    const before = [0, 4, 4, 6].map((count) =>
      sum(layers.slice(0, count).map((layer) => productByLoops(layer, seqlen))),
    );
    expect(operations.upToTaps).toBe(sum(before) + 3 * attentionByLoops(seqlen, hidden));
  });

  it('of the shift to dense targets are those of the loops, but for terms of lower order', () => {
    // A row of either half's drift times a triangle, then of both times the other one; a weight times what comes of it, where it is that of inputs.
    const ofTriangle = (rows: number, n: number): number => rows * loop(n, (j) => 2 * (n - j));
    const ofInputs = layers.filter(({ tap }) => tap === 'attn_in' || tap === 'mlp_in');
    const expected =
      sum(widths.map((cols) => 3 * ofTriangle(hidden, cols))) +
      sum(ofInputs.map(({ rows, cols }) => 2 * rows * cols ** 2));
    expect(Math.abs(operations.shift / expected - 1)).toBeLessThan(3 / hidden);
  });

  it('of drifts are those of the loops', () => {
    const ofTap = (cols: number): number => loop(seqlen, () => 2 * hidden * cols);
    expect(operations.drift).toBe(sum(widths.map(ofTap)));
  });

  it('of the Gram matrices are those of the loops', () => {
    expect(operations.gram).toBe(sum(widths.map((cols) => gramByLoops(cols, seqlen))));
  });

  it('of factors and sweeps are those of the loops, but for terms of lower order', () => {
    const ofLowerOrder = 3 / hidden;
    const factor = sum(widths.map(factorByLoops));
    expect(Math.abs(operations.factor / factor - 1)).toBeLessThan(ofLowerOrder);
    expect(Math.abs(operations.solve / sum(layers.map(sweepByLoops)) - 1)).toBeLessThan(ofLowerOrder);
    expect(operations.energy).toBe(operations.solve);
  });

  it('of ADMM are those of the loops, but for terms of lower order', () => {
    const products = iterations + polish + 3;
    const expected = sum(
      layers.map((layer) => products * 2 * layer.rows * layer.cols ** 2 + inversesByLoops(layer.cols)),
    );
    expect(Math.abs(operations.iterate / expected - 1)).toBeLessThan(3 / hidden);
  });
});

describe('other operations', () => {
  it('of ADMM over a layer are those of the loops', () => {
    const layer = { rows: 30, cols: 40, tap: '' };
    const [pruning, quantizing] = [iterationsByLoops(layer), quantizingByLoops(layer)];
    expect(iterateOperations(layer, { prunes: true, quantizes: false })).toBe(pruning);
    expect(iterateOperations(layer, { prunes: false, quantizes: true })).toBe(quantizing);
    const energies = productsByLoops(2, layer);
    expect(iterateOperations(layer, { prunes: true, quantizes: true })).toBe(pruning + quantizing - energies);
    expect(Math.abs(invertOperations(768) / inversesByLoops(768) - 1)).toBeLessThan(3 / 768);
  });

  it('of attention go by the heads where those are wider than the block together', () => {
    const wide = [
      { rows: 96, cols: 32, tap: 'attn_in' },
      { rows: 32, cols: 96, tap: 'attn_out' },
    ];
    const products =
      productByLoops({ rows: 96, cols: 32, tap: '' }, 10) + productByLoops({ rows: 32, cols: 96, tap: '' }, 10);
    expect(blockOperations(wide, 10).forward).toBe(products + attentionByLoops(10, 96));
  });

  it('of the head are those of the loops', () => {
    expect(headOperations(50272, 768, 64)).toBe(loop(64, () => loop(50272, () => 2 * 768)));
  });

  it("of a spectrum are the smaller product's triangle and a Householder reduction", () => {
    // Each of n - 2 reflections is a product of the rest with a vector and a symmetric update of its triangle, of two vectors.
    const reduction = (n: number): number =>
      loop(n - 2, (k) => loop(n - 1 - k, () => 2 * (n - 1 - k)) + loop(n - 1 - k, (i) => 4 * (i + 1)));
    const expected = gramByLoops(512, 2048) + reduction(512);
    expect(Math.abs(spectrumOperations({ rows: 2048, cols: 512 }) / expected - 1)).toBeLessThan(0.01);
    expect(spectrumOperations({ rows: 512, cols: 2048 })).toBe(spectrumOperations({ rows: 2048, cols: 512 }));
  });
});

/** A checkpoint of OPT's shapes without its data. */
function optShape({ hidden, blocks, vocab }: Size): ReturnType<typeof shapeOf> {
  const config = {
    model_type: 'opt',
    hidden_size: hidden,
    num_hidden_layers: blocks,
    ffn_dim: 4 * hidden,
    num_attention_heads: hidden / 64,
    vocab_size: vocab,
  };
  const tensors = new Map<string, TensorInfo>();
  const add = (name: string, shape: number[]): void => {
    const bytes = 2 * shape.reduce((a, b) => a * b, 1);
    tensors.set(name, { name, dtype: 'F16', shape, file: '/model.safetensors', offset: 0, bytes });
  };
  add('model.decoder.embed_tokens.weight', [vocab, hidden]);
  add('model.decoder.embed_positions.weight', [2050, hidden]);
  const norm = (name: string): void => ['weight', 'bias'].forEach((part) => add(`${name}.${part}`, [hidden]));
  norm('model.decoder.final_layer_norm');
  for (let block = 0; block < blocks; block++) {
    const at = `model.decoder.layers.${block}`;
    const linear = (name: string, rows: number, cols: number): void => {
      add(`${at}.${name}.weight`, [rows, cols]);
      add(`${at}.${name}.bias`, [rows]);
    };
    for (const name of ['q_proj', 'k_proj', 'v_proj', 'out_proj']) linear(`self_attn.${name}`, hidden, hidden);
    linear('fc1', 4 * hidden, hidden);
    linear('fc2', hidden, 4 * hidden);
    norm(`${at}.self_attn_layer_norm`);
    norm(`${at}.final_layer_norm`);
  }
  return shapeOf({ family: openOpt({ folder: '/', config, tensors }), tensors });
}

const work: Workload = { ...pruning, blocks: 12, evaluation: { sequences: 10, seqlen: 2048 } };

const measured: Workload = { ...work, sensitivity: { sequences: 16, seqlen: 128, layers: true, bits: 0 } };
const choosing: NonNullable<Workload['choice']> = {
  candidates: 3,
  targets: 'layer',
  denseCandidates: 0,
  calibration: { sequences: 16, seqlen: 2048 },
  heldBack: { sequences: 14, seqlen: 2048 },
};
const tried: Workload = { ...measured, choice: choosing };

const none = { '768x768': Infinity, '2048x768': Infinity, '768x3072': Infinity };
/** Of a machine that takes no time. */
const instant: Rates = {
  forward: { 128: Infinity, 2048: Infinity },
  head: Infinity,
  gram: { 768: Infinity, 3072: Infinity },
  factor: { 768: Infinity, 3072: Infinity },
  statistics: none,
  solve: none,
  sweep: none,
  invert: {},
  iterate: {},
  spectrum: Infinity,
  divergence: Infinity,
  open: Infinity,
  hash: Infinity,
  scan: Infinity,
  read: Infinity,
  write: Infinity,
  gpu: null,
};

describe('operations of the stages', () => {
  const shape = optShape(opt125m);
  const block = blockOperations(optLayers(768), 2048);

  it('knows a model by its tensors', () => {
    expect(shape).toMatchObject({
      blocks: 12,
      hidden: 768,
      vocab: 50272,
      width: 768,
      weightBytes: 2,
      layers: optLayers(768),
    });
    // As transformers counts OPT-125M, whose head is tied.
    expect(shape.parameters).toBe(125_239_296);
    expect(shape.bytes).toBe(2 * 125_239_296);
    // Biases of q, k, v, out, fc1, fc2, and two norms.
    expect(shape.otherElements).toBe(768 * (4 + 4 + 1 + 4));
    expect(optShape(opt66b).parameters).toBeGreaterThan(65e9);
    expect(optShape(opt66b).parameters).toBeLessThan(67e9);
  });

  it('are what each stage does', () => {
    expect(stagesOf(work)).toEqual([
      'calibration',
      'fingerprint',
      'evaluate-dense',
      'estimate',
      'compress',
      'evaluate-compressed',
    ]);
    expect(stageOperations(shape, work, 'evaluate-dense')).toEqual({
      forward: 10 * 12 * block.forward,
      head: 10 * 2 * 50272 * 768 * 2048,
    });
    expect(stageOperations(shape, work, 'estimate')).toEqual({
      forward: 128 * (11 * block.forward + block.taps),
      gram: 128 * 12 * block.gram,
      factor: 12 * block.factor,
      statistics: 12 * block.energy,
    });
    expect(stageOperations(shape, work, 'compress')).toEqual({
      forward: 128 * (12 * block.taps + 11 * block.forward),
      gram: 128 * 12 * block.gram,
      factor: 12 * block.factor,
      solve: 12 * 2 * block.solve,
    });
  });

  it('with dense targets are those of the dense model once, of the compressed one up to each tap and then through the block', () => {
    const dense = { ...work, targets: 'dense' } as const;
    expect(stageOperations(shape, dense, 'compress')).toEqual({
      forward: 128 * (12 * block.upToTaps + 12 * block.forward + 11 * block.forward),
      gram: 128 * 12 * (block.gram + block.drift),
      factor: 12 * (block.factor + block.shift),
      solve: 12 * 2 * block.solve,
    });
    // One of the candidates of `auto`, on 16 sequences.
    const forward = (denseCandidates: number): number =>
      stageOperations(shape, { ...tried, choice: { ...choosing, denseCandidates } }, 'choose').forward ?? NaN;
    const evaluated = 14 * 12 * block.forward;
    expect(forward(1) - forward(0)).toBe(16 * (12 * block.upToTaps + 23 * block.forward) + evaluated);
  });

  /** Blocks that each branch goes through, one after another: the dense one all twelve, those of a block's six layers from it on. */
  const passes = loop(12, () => 1) + loop(12, (first) => 6 * (12 - first));

  it('count, where sensitivities are measured, a branch for each layer, which is pruned twice', () => {
    const short = blockOperations(optLayers(768), 128);
    const plain = stageOperations(shape, work, 'estimate');
    expect(stageOperations(shape, measured, 'estimate')).toEqual({
      ...plain,
      forward: (plain.forward ?? 0) + 16 * passes * short.forward,
      head: 16 * (1 + 12 * 6) * 2 * 50272 * 768 * 128,
      solve: 12 * 2 * 2 * block.solve,
    });
    const twoBlocks = stageOperations(shape, { ...measured, blocks: 2 }, 'estimate');
    const passesOfTwo = 12 + 6 * 12 + 6 * 11;
    expect(twoBlocks.forward).toBe(128 * (block.forward + block.taps) + 16 * passesOfTwo * short.forward);
    expect(twoBlocks.head).toBe(16 * (1 + 2 * 6) * 2 * 50272 * 768 * 128);
  });

  it('count, where bits are to be chosen, one more branch through all blocks for each number of them', () => {
    const short = blockOperations(optLayers(768), 128);
    const plain = stageOperations(shape, measured, 'estimate');
    const chosen = { ...measured, sensitivity: { sequences: 16, seqlen: 128, layers: true, bits: 3 } };
    const { forward, head, solve, ...others } = stageOperations(shape, chosen, 'estimate');
    expect(forward).toBe((plain.forward ?? 0) + 3 * 12 * 16 * short.forward);
    expect(head).toBe((plain.head ?? 0) + 3 * 16 * 2 * 50272 * 768 * 128);
    expect(solve).toBe(((2 + 3) / 2) * (plain.solve ?? 0));
    expect({ forward: plain.forward, head: plain.head, solve: plain.solve, ...others }).toEqual(plain);
  });

  it('count, where schedules are tried, a compression of the subsample and a pass of what is held back for each', () => {
    expect(stagesOf(tried)).toEqual([
      'calibration',
      'fingerprint',
      'evaluate-dense',
      'estimate',
      'choose',
      'compress',
      'evaluate-compressed',
    ]);
    expect(stageOperations(shape, tried, 'choose')).toEqual({
      forward: 3 * (16 * (12 * block.taps + 11 * block.forward) + 14 * 12 * block.forward),
      head: 3 * 14 * 2 * 50272 * 768 * 2048,
      gram: 3 * 16 * 12 * block.gram,
      factor: 3 * 12 * block.factor,
      solve: 3 * 12 * 2 * block.solve,
    });
    expect(stageOperations(shape, { ...tried, method: 'magnitude' }, 'choose')).toEqual({
      forward: 3 * 14 * 12 * block.forward,
      head: 3 * 14 * 2 * 50272 * 768 * 2048,
    });
  });

  it('count, by ADMM, its iterations in place of the sweep, and the sweep where what it keeps is quantized', () => {
    const plain = stageOperations(shape, work, 'compress');
    const { solve, ...others } = plain;
    const admm: Workload = { ...work, method: 'admm' };
    expect(stageOperations(shape, admm, 'compress')).toEqual({ ...others, iterate: 12 * block.iterate });
    const quantization = quantizationSchema.parse({ bits: 4 });
    expect(stageOperations(shape, { ...admm, quantization }, 'compress')).toEqual({
      ...others,
      iterate: 12 * (block.iterate + block.refine),
      solve,
    });
    const quantizing = optLayers(768)
      .map(quantizingByLoops)
      .reduce((a, b) => a + b, 0);
    expect(stageOperations(shape, { ...admm, isPruned: false, quantization }, 'compress')).toEqual({
      ...others,
      iterate: 12 * quantizing,
      solve,
    });
    // Sensitivities too, but for those of bits, which prune nothing.
    const { solve: swept, ...estimated } = stageOperations(shape, measured, 'estimate');
    const alone = stageOperations(shape, { ...measured, method: 'admm' }, 'estimate');
    expect(alone).toEqual({ ...estimated, iterate: 2 * 12 * block.iterate });
    const sensitivity = { sequences: 16, seqlen: 128, layers: true, bits: 3 };
    const withBits = stageOperations(shape, { ...measured, method: 'admm', sensitivity }, 'estimate');
    expect(withBits.iterate).toBe(12 * (2 * block.iterate + 3 * quantizing));
    expect(withBits.solve).toBe((3 / 2) * (swept ?? NaN));
    expect(stageOperations(shape, { ...tried, method: 'admm' }, 'choose').iterate).toBe(3 * 12 * block.iterate);
  });

  describe('take seconds', () => {
    const layers = 12 * (4 * 768 ** 2 + 2 * 768 * 3072);
    const vocabulary = 50272 * 768;
    /** Of a stage when nothing takes time but what `slow` says. */
    const seconds = (stage: 'estimate' | 'choose', workload: Workload, slow: Partial<Rates>): number =>
      stageSeconds(shape, workload, stage, { ...instant, ...slow });
    /** More than without branches. */
    const branches = (slow: Partial<Rates>): number =>
      seconds('estimate', measured, slow) - seconds('estimate', work, slow);

    it('for the branches: at the rates of what they do', () => {
      const short = blockOperations(optLayers(768), 128);
      expect(branches({ forward: { 128: 1e9, 2048: Infinity } })).toBeCloseTo((16 * passes * short.forward) / 1e9, 6);
      expect(branches({ forward: { 128: Infinity, 2048: 1e9 } })).toBe(0);
      expect(branches({ head: 1e9 })).toBeCloseTo((16 * 73 * 2 * vocabulary * 128) / 1e9, 6);
      expect(branches({ divergence: 1e9 })).toBeCloseTo((16 * 128 * 73 * 50272) / 1e9, 6);
      const sweeps = 2 * 12 * 2 * (4 * 768 ** 3 + 3072 * 768 ** 2);
      expect(branches({ sweep: { ...none, '768x768': 1e9, '2048x768': 1e9 } })).toBeCloseTo(sweeps / 1e9, 6);
      expect(branches({ solve: { '768x768': 1, '2048x768': 1, '768x3072': 1 } })).toBe(0);
    });

    it('for ADMM: inverses by columns and iterations by layer, a sweep only where it quantizes', () => {
      const admm: Workload = { ...measured, method: 'admm' };
      const compress = (workload: Workload, slow: Partial<Rates>): number =>
        stageSeconds(shape, workload, 'compress', { ...swift, ...slow });
      const rates = (value: number): Record<string, number> => ({
        '768x768': value,
        '2048x768': value,
        '768x2048': value,
      });
      const swift: Rates = { ...instant, invert: { 768: Infinity, 2048: Infinity }, iterate: rates(Infinity) };
      const inverses = 12 * penalties * (5 * 768 ** 3 + 3072 ** 3);
      const products = 12 * (iterations + polish + 3) * 2 * (4 * 768 ** 3 + 3072 * 768 ** 2 + 768 * 3072 ** 2);
      const slowly = { invert: { 768: 1e9, 2048: 1e9 } };
      expect(compress(admm, slowly)).toBeCloseTo(inverses / 1e9, 4);
      expect(compress(admm, { iterate: rates(1e9) })).toBeCloseTo(products / 1e9, 4);
      expect(stageSeconds(shape, admm, 'estimate', { ...swift, ...slowly })).toBeCloseTo((2 * inverses) / 1e9, 4);
      const sweeps = { solve: { '768x768': 1e9, '2048x768': 1e9, '768x3072': 1e9 } };
      expect(compress(admm, sweeps)).toBe(0);
      const quantized = { ...admm, quantization: quantizationSchema.parse({ bits: 4 }) };
      expect(compress(quantized, sweeps)).toBeCloseTo((12 * 2 * block.solve) / 1e9, 4);
      const further = 12 * (1 + refinements) * 2 * (4 * 768 ** 3 + 3072 * 768 ** 2 + 768 * 3072 ** 2);
      expect(compress(quantized, { iterate: rates(1e9) })).toBeCloseTo((products + further) / 1e9, 4);
      const alone = { ...quantized, isPruned: false };
      const both = 2 * 2 * (4 * 768 ** 3 + 3072 * 768 ** 2 + 768 * 3072 ** 2) * 12;
      expect(compress(alone, { iterate: rates(1e9) })).toBeCloseTo((both + further) / 1e9, 4);
      expect(compress(alone, slowly)).toBe(0);
    });

    it('for the branches: for blocks opened, one for each layer and one for the rest, for layers written and activations', () => {
      expect(branches({ open: 1e9 })).toBeCloseTo((2 * (layers / 12) * (12 + 12 * 6) + 2 * vocabulary) / 1e9, 6);
      expect(branches({ write: 1e9 })).toBeCloseTo((2 * layers) / 1e9, 6);
      const sequences = 4 * 16 * 128 * 768;
      // Embedded, in and out of each pass, then to the head for each range of the vocabulary, which are no larger than a block.
      const ranges = Math.ceil(vocabulary / (layers / 12));
      expect(branches({ read: 1e9 })).toBeCloseTo(((1 + 2 * passes + 73 * ranges) * sequences) / 1e9, 6);
    });

    it('for the trial: of blocks alone, not of what is outside of them', () => {
      const both = 3 * (16 * (12 * block.taps + 11 * block.forward) + 14 * 12 * block.forward);
      expect(seconds('choose', tried, { forward: { 2048: 1e9 } })).toBeCloseTo(both / 1e9, 5);
      const activations = 4 * 16 * 2048 * 768;
      expect(seconds('choose', tried, { write: 1e9 })).toBeCloseTo((3 * (2 * layers + 12 * activations)) / 1e9, 6);
      // Each block for the taps, for the next block's inputs, and for what is held back.
      expect(seconds('choose', tried, { open: 1e9 })).toBeCloseTo((3 * (3 * 2 * layers + 2 * vocabulary)) / 1e9, 6);
      expect(seconds('choose', work, { forward: { 2048: 1 } })).toBe(0);
    });
  });

  it('leaves out what a recipe does not do', () => {
    const magnitude: Workload = { ...work, method: 'magnitude', estimate: null, calibration: null, evaluation: null };
    expect(stagesOf(magnitude)).toEqual(['calibration', 'fingerprint', 'compress']);
    expect(stageOperations(shape, magnitude, 'compress')).toEqual({});
    expect(stageOperations(shape, { ...magnitude, estimate: 'spectra' }, 'estimate')).toEqual({
      spectrum:
        12 * (4 * spectrumOperations({ rows: 768, cols: 768 }) + 2 * spectrumOperations({ rows: 3072, cols: 768 })),
    });
    const twoBlocks = stageOperations(shape, { ...work, blocks: 2 }, 'compress');
    expect(twoBlocks.forward).toBe(128 * (2 * block.taps + block.forward));
  });
});
