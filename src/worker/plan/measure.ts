import { createHash, randomFillSync } from 'node:crypto';
import { createReadStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';

import { Tensor } from 'onnxruntime-node';
import { z } from 'zod';

import { GraphBuilder } from '../graph/builder.ts';
import { linear } from '../graph/operations.ts';
import type { Model } from '../model/open.ts';
import type { Recipe } from '../../contract/recipe.ts';
import { controlled, native, setThreads, translated, type PruneOptions } from '../native.ts';
import { Activations } from '../run/activations.ts';
import { cacheFolder, remembered } from '../run/cache.ts';
import { weightFiles } from '../run/fingerprint.ts';
import { engineVersions } from '../run/versions.ts';
import { batchSequences, HEAD_TOKENS, openBlock, openHead, vocabularyRanges } from '../runtime/forward.ts';
import { Session, type SessionOptions } from '../runtime/session.ts';
import { SENSITIVITY_SPARSITY } from '../schedule/needs.ts';
import {
  blockOperations,
  factorOperations,
  gramOperations,
  headOperations,
  spectrumOperations,
  sweepOperations,
  type LayerShape,
} from './costs.ts';
import { shapeOf, type ModelShape } from './shape.ts';

const rate = z.number().positive();

/** How fast this machine does each kind of work: floating-point operations or bytes a second. */
export const ratesSchema = z.strictObject({
  /** By seqlen: a block of the model. */
  forward: z.record(z.string(), rate),
  head: rate,
  /** By columns of the layers' inputs, `cappedWidth` of them. */
  gram: z.record(z.string(), rate),
  factor: z.record(z.string(), rate),
  /**
   * By `layerKey`: of a sweep; of pruning or quantizing as the recipe says, which counts as two sweeps whatever is done; and of pruning
   * to measure a sensitivity, which counts as two as well.
   */
  statistics: z.record(z.string(), rate),
  solve: z.record(z.string(), rate),
  sweep: z.record(z.string(), rate),
  spectrum: rate,
  /** Logits that are compared with a reference's, or are the reference's. */
  divergence: rate,
  /** Bytes of weights, as stored, that a block's graph is opened with. */
  open: rate,
  /** Bytes of the checkpoint read and hashed, and looked through. */
  hash: rate,
  scan: rate,
  /** Bytes of activations. */
  read: rate,
  write: rate,
});
export type Rates = z.infer<typeof ratesSchema>;

/**
 * Rates grow with a matrix's size until the processor's caches are full, so they are measured on the model's own shapes; beyond these
 * sizes they hardly change, and a plan must not take long itself.
 */
const MAX_ROWS = 2048;
const MAX_COLS = 4096;
/** Columns of the layer whose spectrum is taken: that has one thread and no blocks, and is slow. */
const SPECTRUM_COLS = 512;
/** Larger float32 weights are not loaded to be measured: products of that size run at the device's own rate. */
const MAX_MODEL_BYTES = 2 ** 29;
const PRODUCT_TOKENS = 512;
/** Ids of the vocabulary that models' logits are compared for. */
const COMPARED_VOCABULARY = 8192;
const SAMPLE_BYTES = 2 ** 25;
/** The name of the random layer's tensor. */
const LAYER = 'layer.weight';

export function cappedWidth(cols: number): number {
  return Math.min(cols, MAX_COLS);
}

/** The layers of one shape share a rate. */
export function layerKey({ rows, cols }: Pick<LayerShape, 'rows' | 'cols'>): string {
  return `${Math.min(rows, MAX_ROWS)}x${cappedWidth(cols)}`;
}

/** Whether other work than ours has the processor now: what is measured then is kept apart. Windows does not tell. */
export function isBusy(): boolean {
  return (loadavg()[0] ?? 0) > 1.5 * availableParallelism();
}

/** The rates of this machine for a model: measured in a few seconds, then kept for the same model, engine, device and threads. */
export async function measuredRates(
  model: Model,
  session: SessionOptions,
  seqlens: readonly number[],
  recipe: Pick<Recipe, 'method' | 'quantization'>,
  signal: AbortSignal,
): Promise<Rates> {
  const shape = shapeOf(model);
  const wanted = [...new Set(seqlens)].sort((a, b) => a - b);
  const solving = solvingOf(recipe);
  const measured = { ...session, folder: model.folder, shape, seqlens: wanted, solving };
  const key = { ...engineVersions(), ...measured, busy: isBusy() };
  const { value } = await remembered('rates', key, ratesSchema, () =>
    measure(model, shape, session, { seqlens: wanted, solving, signal }),
  );
  return value;
}

type Solving = Omit<PruneOptions, 'storage' | 'n' | 'm'>;

/** Pruning without quantizing. */
const sweeping: Solving = { method: 'sparsegpt', sparsity: SENSITIVITY_SPARSITY };

/** What is measured for a recipe: of quantizing what its time depends on; without it all methods take about as long as the sweep. */
function solvingOf({ method, quantization }: Pick<Recipe, 'method' | 'quantization'>): Solving {
  if (quantization === null) return sweeping;
  const { groupSize, range } = quantization;
  const grouped = groupSize === null ? {} : { groupSize };
  const fixed = { bits: 4, symmetric: false, staticGroups: false };
  return { method, sparsity: 0.7, quantization: { ...fixed, ...grouped, range } };
}

interface Wanted {
  readonly seqlens: readonly number[];
  readonly solving: Solving;
  readonly signal: AbortSignal;
}

async function measure(
  model: Model,
  shape: ModelShape,
  session: SessionOptions,
  { seqlens, solving, signal }: Wanted,
): Promise<Rates> {
  await setThreads(session.threads);
  mkdirSync(cacheFolder(), { recursive: true });
  const scratch = mkdtempSync(join(cacheFolder(), 'rates-'));
  try {
    return {
      ...(await forwardRates(model, shape, session, seqlens, scratch)),
      ...(await solverRates(model, shape, scratch, solving, signal)),
      divergence: await divergenceRate(signal),
      ...(await checkpointRates(model, signal)),
      ...(await activationRates(scratch)),
    };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

type ForwardRates = Pick<Rates, 'forward' | 'head' | 'open'>;

async function forwardRates(
  model: Model,
  shape: ModelShape,
  session: SessionOptions,
  seqlens: readonly number[],
  scratch: string,
): Promise<ForwardRates> {
  const weights = shape.layers.reduce((sum, { rows, cols }) => sum + rows * cols, 0);
  if (4 * weights > MAX_MODEL_BYTES) return await productRates(model, session, seqlens, scratch);
  const forward: Record<string, number> = {};
  let open = 0;
  for (const seqlen of seqlens) {
    const { seconds: opened, value: block } = await timed(() =>
      openBlock(model, 0, { ...session, seqlen, taps: false, output: true }),
    );
    open = (weights * shape.weightBytes) / opened;
    const sequences = batchSequences(seqlen);
    try {
      const x = noise(sequences * seqlen * shape.hidden);
      const seconds = await best(() => block.run(x));
      forward[String(seqlen)] = (sequences * blockOperations(shape.layers, seqlen).forward) / seconds;
    } finally {
      await block.close();
    }
  }
  return { forward, open, head: await headRate(model, shape, session) };
}

/** A model too large to be tried: its time goes to products, so one of the largest measured shape stands for them. */
async function productRates(
  model: Model,
  session: SessionOptions,
  seqlens: readonly number[],
  scratch: string,
): Promise<ForwardRates> {
  const shape = { rows: MAX_ROWS, cols: MAX_COLS };
  const tensors = new Map(
    randomLayer(join(scratch, 'product.safetensors'), shape, model.dtype)
      .tensors()
      .map((tensor) => [tensor.name, tensor]),
  );
  const g = new GraphBuilder(tensors);
  g.output('y', linear(g, g.input('x', 'float32', [PRODUCT_TOKENS, shape.cols]), LAYER));
  const { seconds: opened, value: opening } = await timed(() => Session.open(g.build(), session));
  const x = new Tensor('float32', noise(PRODUCT_TOKENS * shape.cols), [PRODUCT_TOKENS, shape.cols]);
  const y = new Tensor('float32', new Float32Array(PRODUCT_TOKENS * shape.rows), [PRODUCT_TOKENS, shape.rows]);
  try {
    const seconds = await best(() => opening.run({ x }, { y }));
    const product = (2 * PRODUCT_TOKENS * shape.rows * shape.cols) / seconds;
    const forward = Object.fromEntries(seqlens.map((seqlen) => [String(seqlen), product]));
    return { forward, head: product, open: (tensors.get(LAYER)?.bytes ?? 0) / opened };
  } finally {
    await opening.close();
  }
}

async function headRate(
  model: Model,
  { vocab, vocabularyPasses, width, hidden }: ModelShape,
  session: SessionOptions,
): Promise<number> {
  const tokens = HEAD_TOKENS;
  const [range = { start: 0, end: vocab }] = vocabularyRanges(model);
  const head = await openHead(model, range, session);
  try {
    const x = noise(tokens * hidden);
    const seconds = await best(() => head.run(x, new Int32Array(tokens)));
    return headOperations(vocab / vocabularyPasses, width, tokens) / seconds;
  } finally {
    await head.close();
  }
}

type SolverRates = Pick<Rates, 'gram' | 'factor' | 'statistics' | 'solve' | 'sweep' | 'spectrum'>;

/** Gram, factor, statistics and pruning of random layers with the model's shapes, as a compression does them. */
async function solverRates(
  { dtype }: Model,
  shape: ModelShape,
  scratch: string,
  solving: Solving,
  signal: AbortSignal,
): Promise<SolverRates> {
  const rates: SolverRates = {
    gram: {},
    factor: {},
    statistics: {},
    solve: {},
    sweep: {},
    spectrum: await spectrumRate(dtype, scratch, signal),
  };
  const layers = new Map(
    shape.layers.map((layer) => [
      layerKey(layer),
      { rows: Math.min(layer.rows, MAX_ROWS), cols: cappedWidth(layer.cols) },
    ]),
  );
  for (const cols of new Set([...layers.values()].map((layer) => layer.cols))) {
    const factor = await factorRates(cols, rates, signal);
    for (const [key, layer] of layers) {
      if (layer.cols !== cols) continue;
      const checkpoint = randomLayer(join(scratch, `${key}.safetensors`), layer, dtype);
      const statistics = await best(() =>
        controlled(signal, (control) => native.layerStatistics(checkpoint, { name: LAYER }, factor, control)),
      );
      rates.statistics[key] = sweepOperations(layer) / statistics;
      const pruningRate = async (as: Solving): Promise<number> => {
        const options = { ...as, storage: dtype };
        const input = as.method === 'magnitude' ? null : factor;
        const pruning = await best(() =>
          controlled(signal, (control) => native.prune(checkpoint, { name: LAYER }, input, options, control)),
        );
        return (2 * sweepOperations(layer)) / pruning;
      };
      rates.solve[key] = await pruningRate(solving);
      rates.sweep[key] = solving.quantization ? await pruningRate(sweeping) : rates.solve[key];
    }
  }
  return rates;
}

async function factorRates(
  cols: number,
  rates: SolverRates,
  signal: AbortSignal,
): Promise<InstanceType<typeof native.Factor>> {
  const tokens = 2048;
  const x = noise(tokens * cols);
  const adding = async (): Promise<InstanceType<typeof native.Gram>> => {
    const gram = new native.Gram(cols);
    await controlled(signal, (control) => gram.add(x, tokens, control));
    return gram;
  };
  await adding();
  const { seconds: added, value: gram } = await timed(adding);
  rates.gram[String(cols)] = gramOperations(cols, tokens) / added;
  const { seconds: factored, value: factor } = await timed(() =>
    controlled(signal, (control) => native.factorize(gram, 1, 0.01, 'natural', control)),
  );
  rates.factor[String(cols)] = factorOperations(cols) / factored;
  return factor;
}

async function divergenceRate(signal: AbortSignal): Promise<number> {
  const sums = new native.Divergences(new Int32Array(HEAD_TOKENS), 1);
  const logits = noise(HEAD_TOKENS * COMPARED_VOCABULARY);
  try {
    const seconds = await best(() =>
      controlled(signal, async (control) => {
        await sums.addReference(0, 0, COMPARED_VOCABULARY, logits, control);
        await sums.add(0, logits, control);
      }),
    );
    return (2 * logits.length) / seconds;
  } finally {
    sums.release();
  }
}

async function spectrumRate(dtype: Model['dtype'], scratch: string, signal: AbortSignal): Promise<number> {
  const layer = { rows: SPECTRUM_COLS, cols: SPECTRUM_COLS };
  const checkpoint = randomLayer(join(scratch, 'spectrum.safetensors'), layer, dtype);
  const { seconds } = await timed(() =>
    controlled(signal, (control) => native.spectrumAlpha(checkpoint, { name: LAYER }, control)),
  );
  return spectrumOperations(layer) / seconds;
}

/** The first bytes of the model's first file read and hashed, and one layer looked through for what is not finite. */
async function checkpointRates(model: Model, signal: AbortSignal): Promise<Pick<Rates, 'hash' | 'scan'>> {
  const [path = ''] = weightFiles(model);
  const { seconds: hashed, value: bytes } = await timed(() => hashStart(path));
  const layer = model.tensors.get(`${model.family.layers(0)[0]?.name ?? ''}.weight`);
  if (layer === undefined) throw new Error('a model without layers');
  const scanned = await best(() => controlled(signal, (control) => model.checkpoint.scan(layer.name, control)));
  return { hash: bytes / hashed, scan: layer.bytes / scanned };
}

async function hashStart(path: string): Promise<number> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path, {
    highWaterMark: 4 << 20,
    end: SAMPLE_BYTES - 1,
  }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return bytes;
}

/** Writing up to the disk, and reading. */
async function activationRates(scratch: string): Promise<Pick<Rates, 'read' | 'write'>> {
  const shape = { sequences: 8, seqlen: 1024, hidden: SAMPLE_BYTES / 4 / 8 / 1024 };
  const activations = Activations.create(join(scratch, 'activations.f32'), shape);
  try {
    const x = noise(SAMPLE_BYTES / 4);
    const start = performance.now();
    await activations.write(0, x);
    await activations.flush();
    const written = performance.now();
    await activations.read(0, shape.sequences);
    const bytesAMillisecond = (milliseconds: number): number => (1000 * SAMPLE_BYTES) / milliseconds;
    return { write: bytesAMillisecond(written - start), read: bytesAMillisecond(performance.now() - written) };
  } finally {
    await activations.remove();
  }
}

/** Random bits between sign and exponent of 0.5: values of ±[0.5, 1), by dtype. */
const masks = { F32: [0x807fffff, 0x3f000000], F16: [0x83ff, 0x3800], BF16: [0x807f, 0x3f00] } as const;

/** A .safetensors file with one layer of random weights. */
function randomLayer(
  path: string,
  { rows, cols }: Pick<LayerShape, 'rows' | 'cols'>,
  dtype: Model['dtype'],
): InstanceType<typeof native.Checkpoint> {
  const bits = dtype === 'F32' ? new Uint32Array(rows * cols) : new Uint16Array(rows * cols);
  const [kept, exponent] = masks[dtype];
  randomFillSync(bits);
  for (let i = 0; i < bits.length; i++) bits[i] = ((bits[i] ?? 0) & kept) | exponent;
  const entry = { dtype, shape: [rows, cols], data_offsets: [0, bits.byteLength] };
  const json = JSON.stringify({ [LAYER]: entry });
  const header = Buffer.from(json.padEnd(8 * Math.ceil(json.length / 8)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(path, Buffer.concat([length, header, new Uint8Array(bits.buffer)]));
  return native.Checkpoint.openFile(path);
}

/** Values of ±[0.5, 1). */
function noise(count: number): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(count);
  randomFillSync(bits);
  const [kept, exponent] = masks.F32;
  for (let i = 0; i < count; i++) bits[i] = ((bits[i] ?? 0) & kept) | exponent;
  return new Float32Array(bits.buffer);
}

async function timed<T>(work: () => T | Promise<T>): Promise<{ seconds: number; value: T }> {
  const start = performance.now();
  const value = await translated(work);
  return { seconds: (performance.now() - start) / 1000, value };
}

/** Seconds of the better of two: the first one fills caches. */
async function best(work: () => Promise<unknown>): Promise<number> {
  const first = await timed(work);
  return Math.min(first.seconds, (await timed(work)).seconds);
}
