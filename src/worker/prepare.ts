import { availableParallelism } from 'node:os';

import { TamisError } from '../contract/errors.ts';
import { layerBits, matchesLayer } from '../contract/quantization.ts';
import { bitWidths, type Dataset, type Recipe } from '../contract/recipe.ts';
import { calibrationTokens, type CalibrationTokens, type Sources } from './texts/sample.ts';
import { openTokenizer, type Tokenizer } from './texts/tokenizer.ts';
import { evaluationTokens, type EvaluationTokens } from './texts/dataset.ts';
import { weightShape } from './families/family.ts';
import { assertSchedule, layersOf, readSparsities } from './compress/schedule-layers.ts';
import { openModel, type Model } from './model/open.ts';
import { assertFits, memoryBudget } from './plan/budget.ts';
import { gpuShare } from './plan/gpu-memory.ts';
import { withSizeTarget } from './plan/packed.ts';
import { shapeOf } from './model/shape.ts';
import { schedulingOf, type Workload } from './plan/workload.ts';
import type { Report } from '../contract/report.ts';
import { Devices, nothingGivenUp, type GivenUp } from './run/devices.ts';
import type { Inputs } from './run/inputs.ts';
import { timed, type Told } from './run/told.ts';
import { assertWorks, chooseDevice } from './runtime/devices.ts';
import { chooseGpu, openGpu, type Warn } from './runtime/gpu.ts';
import { openTensorFile, setThreads } from './native.ts';
import type { SessionOptions } from './runtime/session.ts';
import { HELD_BACK, needsSensitivities, needsStatistics } from './schedule/needs.ts';
import { resolveScheduler } from './schedule/schedule.ts';

/** The papers' sequence length; models with a shorter limit take theirs. */
const SEQLEN = 2048;

/**
 * Decides what a recipe leaves open (device, threads, sequence lengths, the family's scheduler, the target of a size where no bits are
 * to be chosen), so that it reproduces the run.
 */
export async function resolveRecipe(recipe: Recipe, model: Model, warn: Warn): Promise<Recipe> {
  const threads = recipe.threads ?? availableParallelism();
  const { blocks, maxSeqlen, defaultScheduler } = model.family;
  if (recipe.blocks !== null && recipe.blocks > blocks)
    throw new TamisError('recipe.too-many-blocks', { blocks: recipe.blocks, limit: blocks });
  assertPattern(recipe, model);
  assertQuantization(recipe, model);
  const sized = withSizeTarget(recipe, model);
  return {
    ...(measuresBits(recipe) ? recipe : sized),
    device: await chooseDevice(recipe.device, threads),
    gpu: usesHessians(recipe) ? await chooseGpu(recipe.gpu, warn) : 'none',
    threads,
    scheduler:
      recipe.scheduler.kind === 'auto' ? recipe.scheduler : resolveScheduler(recipe.scheduler, defaultScheduler),
    calibration: {
      ...recipe.calibration,
      seqlen: seqlenOf('calibration.seqlen', recipe.calibration.seqlen, maxSeqlen),
    },
    evaluation: { ...recipe.evaluation, seqlen: seqlenOf('evaluation.seqlen', recipe.evaluation.seqlen, maxSeqlen) },
  };
}

/** Whether there is anything for a GPU to do but forward passes. */
function usesHessians(recipe: Recipe): boolean {
  return recipe.method !== 'magnitude' || needsStatistics(recipe);
}

/** Whether the run itself decides the target of a size, with the bits: it needs calibration data and a choice. */
function measuresBits({ method, quantization }: Recipe): boolean {
  return method !== 'magnitude' && quantization !== null && quantization.bits > bitWidths[0];
}

/** The sequence length wanted, or the papers' where the model allows it. */
export function seqlenOf(field: string, wanted: number | null, limit: number): number {
  if (wanted !== null && wanted > limit)
    throw new TamisError('recipe.seqlen-too-long', { field, seqlen: wanted, limit });
  return wanted ?? Math.min(SEQLEN, limit);
}

/** n:m must divide the columns of every layer. */
function assertPattern({ nm }: Recipe, model: Model): void {
  if (nm === null) return;
  for (const layer of model.family.layers(0)) {
    const { cols } = weightShape(layer, model.tensors);
    if (cols % nm.m !== 0)
      throw new TamisError('recipe.pattern-does-not-divide', { n: nm.n, m: nm.m, layer: layer.name, cols });
  }
}

/** Act-order sorts by the Hessian, and tears apart the neighbours of an n:m pattern; an exception has layers to be one for. */
function assertQuantization({ quantization, method, nm }: Recipe, model: Model): void {
  if (quantization === null) return;
  if (quantization.actOrder && method !== 'sparsegpt')
    throw new TamisError('recipe.act-order-without-sweep', { method });
  if (quantization.actOrder && nm !== null) throw new TamisError('recipe.act-order-with-nm');
  const names = layersOf(model, model.family.blocks).map(({ name }) => name);
  for (const { layers } of quantization.exceptions) {
    if (!names.some((name) => matchesLayer(layers, name)))
      throw new TamisError('recipe.exception-without-layers', { pattern: layers, example: names[0] ?? '' });
  }
}

/** Of each type of layer the first whose last group of columns comes out shorter than the others. */
export function unevenGroups({ quantization, blocks }: Recipe, model: Model): Report['warnings'] {
  const groupSize = quantization?.groupSize ?? null;
  if (groupSize === null) return [];
  const uneven = layersOf(model, blocks ?? model.family.blocks).filter(
    ({ name, cols }) => layerBits(quantization, name) !== null && cols > groupSize && cols % groupSize !== 0,
  );
  const first = new Map(uneven.toReversed().map((layer) => [layer.type, layer]));
  return [...first.values()].map(({ name, cols }) => ({
    code: 'quantization.uneven-groups',
    params: { layer: name, cols, groupSize },
  }));
}

/** Opens the model and samples the tokens of a recipe that `resolveRecipe` made whole, on devices but for those that the run gave up before. */
export async function prepare(recipe: Recipe, told: Told, givenUp: GivenUp = nothingGivenUp): Promise<Inputs> {
  const model = await openModel(recipe.model);
  await setThreads(recipe.threads ?? 1);
  const devices = await openDevices(recipe, givenUp);
  const blocks = recipe.blocks ?? model.family.blocks;
  const sparsities = await readSparsities(recipe);
  assertSchedule(recipe, model, blocks, sparsities);
  for (const { code, params } of unevenGroups(recipe, model)) told.emit({ type: 'warning', code, params });
  const sources = sourcesOf(model);
  return await timed(told.emit, 'calibration', {}, async () => {
    const calibration = await sample(recipe, model, sources, told);
    const datasets: EvaluationTokens[] = [];
    for (const dataset of recipe.evaluation.datasets)
      datasets.push(await tokensOf(dataset, recipe.evaluation, model, sources));
    const inputs = { recipe, model, devices, blocks, calibration, datasets, sparsities };
    assertFits(shapeOf(model), workloadOf(inputs), memoryBudget(recipe));
    return inputs;
  });
}

/** Whatever does not work is refused here, so that a later failure is a loss. */
async function openDevices({ device, threads, gpu, cpuFallback }: Recipe, givenUp: GivenUp): Promise<Devices> {
  if (device === 'auto' || gpu === 'auto') throw new Error('the recipe is not resolved');
  const session: SessionOptions = { device, threads: threads ?? 1 };
  if (!givenUp.device) await assertWorks(session);
  const opened = gpu === 'none' || givenUp.gpu ? null : await openGpu(gpu);
  return new Devices({ session, gpu: opened }, cpuFallback, givenUp);
}

/** What a run that has its tokens is going to do. */
function workloadOf({ recipe, model, devices, blocks, calibration, datasets }: Inputs): Workload {
  const windows = datasets.reduce((total, dataset) => total + dataset.windows, 0);
  const seqlen = datasets[0]?.seqlen ?? 0;
  return {
    method: recipe.method,
    quantization: recipe.quantization,
    ...schedulingOf(recipe, calibration, (calibration?.heldBack.length ?? 0) / (calibration?.seqlen ?? 1)),
    gpu: gpuShare(shapeOf(model).layers, recipe, devices.gpu),
    blocks,
    calibration,
    evaluation: windows > 0 ? { sequences: windows, seqlen } : null,
    texts: [],
    tokenizingSeconds: 0,
  };
}

/** What texts are made tokens of. */
export interface Vocabulary {
  /** Holds the tokenizer. */
  readonly folder: string;
  readonly family: Pick<Model['family'], 'vocab' | 'maxSeqlen'>;
}

/** Where texts and token ids come from for a model: its tokenizer is opened once, and only if there is text. */
export function sourcesOf(model: Pick<Vocabulary, 'folder'>): Sources {
  let tokenizer: Promise<Tokenizer> | null = null;
  return {
    tokenizer: () => (tokenizer ??= openTokenizer(model.folder)),
    openTensorFile: (path) => openTensorFile(path),
  };
}

/** The windows of one dataset for a model. */
export async function tokensOf(
  dataset: Dataset,
  { seqlen, windows }: Recipe['evaluation'],
  model: Vocabulary,
  sources: Sources,
): Promise<EvaluationTokens> {
  const { maxSeqlen, vocab } = model.family;
  return await evaluationTokens(
    dataset,
    { seqlen: seqlenOf('evaluation.seqlen', seqlen, maxSeqlen), windows, vocab },
    sources,
  );
}

async function sample(
  recipe: Recipe,
  model: Model,
  sources: Sources,
  { signal, emit }: Told,
): Promise<CalibrationTokens | null> {
  if (!usesHessians(recipe)) return null;
  const { corpus, sequences, seqlen } = recipe.calibration;
  if (corpus === null) throw new TamisError('recipe.no-calibration');
  const { maxSeqlen, vocab } = model.family;
  const length = seqlenOf('calibration.seqlen', seqlen, maxSeqlen);
  const sampled = await calibrationTokens(
    corpus,
    {
      sequences,
      heldBack: needsSensitivities(recipe) ? HELD_BACK : 0,
      seqlen: length,
      seed: recipe.seed,
      vocab,
      signal,
    },
    sources,
  );
  for (const { code, params } of sampled.warnings) emit({ type: 'warning', code, params: { ...params } });
  return sampled;
}
