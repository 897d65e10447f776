import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';

import { Tensor } from 'onnxruntime-node';

import { GraphBuilder } from '../graph/builder.ts';
import { linear } from '../graph/operations.ts';
import { weightFiles } from '../model/files.ts';
import type { Model } from '../model/open.ts';
import type { Gpu } from '../../contract/gpu.ts';
import type { Recipe } from '../../contract/recipe.ts';
import { methods } from '../../contract/recipe/methods.ts';
import { vocabularyRanges } from '../model/weights.ts';
import { controlled, native, setThreads } from '../native.ts';
import { Activations } from '../machine/activations.ts';
import { cacheFolder, remembered } from '../machine/cache.ts';
import { engineVersions } from '../machine/versions.ts';
import { batchSequences, HEAD_TOKENS, openBlock, openHead } from '../runtime/forward.ts';
import { openGpu } from '../runtime/gpu.ts';
import { Session, type SessionOptions } from '../runtime/session.ts';
import { blockOperations, headOperations, spectrumOperations, type LayerShape } from '../model/costs.ts';
import type { Term } from './gpu-costs.ts';
import { gpuRates } from './measure-gpu.ts';
import { solverRates, solvingOf, type Bench } from './measure-solver.ts';
import { cpuCap, gpuRatesSchema, machineRatesSchema, type GpuRates, type MachineRates, type Rates } from './rates.ts';
import { best, LAYER, noise, randomLayer, timed } from './samples.ts';
import { shapeOf, type ModelShape } from '../model/shape.ts';

/** Columns of the layer whose spectrum is taken: that has one thread and no blocks, and is slow. */
const SPECTRUM_COLS = 512;
/** Larger float32 weights are not loaded to be measured: products of that size run at the device's own rate. */
const MAX_MODEL_BYTES = 2 ** 29;
const PRODUCT_TOKENS = 512;
/** Ids of the vocabulary that models' logits are compared for. */
const COMPARED_VOCABULARY = 8192;
const SAMPLE_BYTES = 2 ** 25;

/** Whether other work than ours has the processor now: what is measured then is kept apart. Windows does not tell. */
export function isBusy(): boolean {
  return (loadavg()[0] ?? 0) > 1.5 * availableParallelism();
}

/** What is measured. */
export interface Measured {
  readonly session: SessionOptions;
  /** null where the CPU does all the solver's work. */
  readonly gpu: Gpu | null;
  /** The layers that it is to compress. */
  readonly gpuLayers: readonly LayerShape[];
  readonly seqlens: readonly number[];
  readonly recipe: Pick<Recipe, 'method' | 'quantization'>;
  readonly signal: AbortSignal;
}

/** The rates of this machine for a model: measured in a few seconds, then kept for the same model, engine, devices and threads. */
export async function measuredRates(model: Model, measured: Measured): Promise<Rates> {
  const { session, gpu, gpuLayers, recipe } = measured;
  const shape = shapeOf(model);
  const seqlens = [...new Set(measured.seqlens)].sort((a, b) => a - b);
  const solving = solvingOf(recipe);
  const of = { ...engineVersions(), ...session, folder: model.folder, shape };
  const { iterates } = methods[recipe.method];
  const key = { ...of, seqlens, solving, iterates, busy: isBusy() };
  const { value: machine } = await remembered('rates', key, machineRatesSchema, () =>
    inScratch((scratch) => machineRates(model, shape, { ...measured, seqlens }, scratch)),
  );
  if (gpu === null) return { ...machine, gpu: null };
  const { name, driver } = gpu;
  const gpuKey = { ...of, gpuLayers, solving, iterates, busy: isBusy(), gpu: { name, driver } };
  const { value } = await remembered('gpu-rates', gpuKey, gpuRatesSchema, () =>
    inScratch((scratch) => openedRates(name, model, measured, scratch)),
  );
  return { ...machine, gpu: value };
}

/** Errors of `openGpu`. */
async function openedRates(
  name: string,
  { dtype }: Model,
  { session, gpuLayers, recipe, signal }: Measured,
  scratch: string,
): Promise<GpuRates> {
  await setThreads(session.threads);
  await using handle = (await openGpu(name)).handle;
  return await gpuRates(handle, gpuLayers, recipe, { dtype, scratch, signal });
}

/** With a folder for random weights and activations, which is removed. */
async function inScratch<T>(work: (scratch: string) => Promise<T>): Promise<T> {
  mkdirSync(cacheFolder(), { recursive: true });
  const scratch = mkdtempSync(join(cacheFolder(), 'rates-'));
  try {
    return await work(scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function machineRates(
  model: Model,
  shape: ModelShape,
  { session, seqlens, recipe, signal }: Measured,
  scratch: string,
): Promise<MachineRates> {
  await setThreads(session.threads);
  const onCpu: Bench = { dtype: model.dtype, scratch, signal, gpu: null, cap: cpuCap, rateOf };
  return {
    ...(await forwardRates(model, shape, session, seqlens, scratch)),
    ...(await solverRates(onCpu, shape.layers, recipe)),
    spectrum: await spectrumRate(model.dtype, scratch, signal),
    divergence: await divergenceRate(signal),
    ...(await checkpointRates(model, signal)),
    ...(await activationRates(scratch)),
  };
}

function rateOf({ operations }: Term, seconds: number): number {
  return operations / seconds;
}

type ForwardRates = Pick<MachineRates, 'forward' | 'head' | 'open'>;

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
    const opening = await timed(() => openBlock(model, 0, { ...session, seqlen, taps: false, output: true }));
    await using block = opening.value;
    open = (weights * shape.weightBytes) / opening.seconds;
    const sequences = batchSequences(seqlen);
    const x = noise(sequences * seqlen * shape.hidden);
    const seconds = await best(() => block.run(x));
    forward[String(seqlen)] = (sequences * blockOperations(shape.layers, seqlen).forward) / seconds;
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
  const shape = cpuCap;
  const tensors = new Map(
    randomLayer(join(scratch, 'product.safetensors'), shape, model.dtype)
      .tensors()
      .map((tensor) => [tensor.name, tensor]),
  );
  const g = new GraphBuilder(tensors);
  g.output('y', linear(g, g.input('x', 'float32', [PRODUCT_TOKENS, shape.cols]), LAYER));
  const opening = await timed(() => Session.open(g.build(), session));
  await using opened = opening.value;
  const x = new Tensor('float32', noise(PRODUCT_TOKENS * shape.cols), [PRODUCT_TOKENS, shape.cols]);
  const y = new Tensor('float32', new Float32Array(PRODUCT_TOKENS * shape.rows), [PRODUCT_TOKENS, shape.rows]);
  const seconds = await best(() => opened.run({ x }, { y }));
  const product = (2 * PRODUCT_TOKENS * shape.rows * shape.cols) / seconds;
  const forward = Object.fromEntries(seqlens.map((seqlen) => [String(seqlen), product]));
  return { forward, head: product, open: (tensors.get(LAYER)?.bytes ?? 0) / opening.seconds };
}

async function headRate(
  model: Model,
  { vocab, vocabularyPasses, width, hidden }: ModelShape,
  session: SessionOptions,
): Promise<number> {
  const tokens = HEAD_TOKENS;
  const [range = { start: 0, end: vocab }] = vocabularyRanges(model);
  await using head = await openHead(model, range, session);
  const x = noise(tokens * hidden);
  const seconds = await best(() => head.run(x, new Int32Array(tokens)));
  return headOperations(vocab / vocabularyPasses, width, tokens) / seconds;
}

async function divergenceRate(signal: AbortSignal): Promise<number> {
  using sums = new native.Divergences(new Int32Array(HEAD_TOKENS), 1);
  const logits = noise(HEAD_TOKENS * COMPARED_VOCABULARY);
  const seconds = await best(() =>
    controlled(signal, async (control) => {
      await sums.addReference(0, 0, COMPARED_VOCABULARY, logits, control);
      await sums.add(0, logits, control);
    }),
  );
  return (2 * logits.length) / seconds;
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
async function checkpointRates(model: Model, signal: AbortSignal): Promise<Pick<MachineRates, 'hash' | 'scan'>> {
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
async function activationRates(scratch: string): Promise<Pick<MachineRates, 'read' | 'write'>> {
  const shape = { sequences: 8, seqlen: 1024, hidden: SAMPLE_BYTES / 4 / 8 / 1024 };
  await using activations = Activations.scratch(join(scratch, 'activations.f32'), shape);
  const x = noise(SAMPLE_BYTES / 4);
  const start = performance.now();
  await activations.write(0, x);
  await activations.flush();
  const written = performance.now();
  await activations.read(0, shape.sequences);
  const bytesAMillisecond = (milliseconds: number): number => (1000 * SAMPLE_BYTES) / milliseconds;
  return { write: bytesAMillisecond(written - start), read: bytesAMillisecond(performance.now() - written) };
}
