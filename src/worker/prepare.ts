import { TamisError } from '../contract/errors.ts';
import type { Recipe } from '../contract/recipe.ts';
import { layerSizes } from './model/layers.ts';
import { openModel, type Model } from './model/open.ts';
import { shapeOf } from './model/shape.ts';
import { setThreads } from './native.ts';
import { assertWithinBudget, memoryBudget } from './plan/budget.ts';
import { gpuShare, tapsThatFit } from './plan/gpu-memory.ts';
import { unevenGroups, usesHessians } from './plan/resolve.ts';
import { schedulingOf, type Workload } from './plan/workload.ts';
import { Devices, nothingGivenUp, type GivenUp } from './run/devices.ts';
import type { Inputs } from './run/inputs.ts';
import { timed, type Told } from './run/told.ts';
import { assertWorks } from './runtime/devices.ts';
import { openGpu } from './runtime/gpu.ts';
import type { SessionOptions } from './runtime/session.ts';
import { assertSchedule, readSparsities } from './schedule/check.ts';
import { HELD_BACK, needsSensitivities, prunesNothing, solvingMethod } from './schedule/needs.ts';
import type { EvaluationTokens } from './texts/dataset.ts';
import { calibrationTokens, type CalibrationTokens, type Sources } from './texts/sample.ts';
import { seqlenOf, sourcesOf, tokensOf } from './texts/sources.ts';

/** Opens the model and samples the tokens of a recipe that `resolveRecipe` made whole, on devices but for those that the run gave up before. */
export async function prepare(recipe: Recipe, told: Told, givenUp: GivenUp = nothingGivenUp): Promise<Inputs> {
  const model = await openModel(recipe.model);
  await setThreads(recipe.threads ?? 1);
  const devices = await openDevices(recipe, model, givenUp);
  try {
    return await readInputs(recipe, model, devices, told);
  } catch (error) {
    await devices[Symbol.asyncDispose]();
    throw error;
  }
}

async function readInputs(recipe: Recipe, model: Model, devices: Devices, told: Told): Promise<Inputs> {
  const blocks = recipe.blocks ?? model.family.blocks;
  const sparsities = await readSparsities(recipe);
  assertSchedule(recipe, layerSizes(model, blocks), sparsities);
  for (const { code, params } of unevenGroups(recipe, model)) told.emit({ type: 'warning', code, params });
  const sources = sourcesOf(model);
  return await timed(told.emit, 'calibration', async () => {
    const calibration = await sample(recipe, model, sources, told);
    const datasets: EvaluationTokens[] = [];
    for (const dataset of recipe.evaluation.datasets)
      datasets.push(await tokensOf(dataset, recipe.evaluation, model, sources));
    const inputs = { recipe, model, devices, blocks, calibration, datasets, sparsities };
    assertWithinBudget(shapeOf(model), workloadOf(inputs), memoryBudget(recipe));
    return inputs;
  });
}

/** Whatever does not work is refused here, so that a later failure is a loss. */
async function openDevices(recipe: Recipe, model: Model, givenUp: GivenUp): Promise<Devices> {
  const { device, threads, gpu, cpuFallback } = recipe;
  if (device === 'auto' || gpu === 'auto') throw new Error('the recipe is not resolved');
  const session: SessionOptions = { device, threads: threads ?? 1 };
  if (!givenUp.device) await assertWorks(session);
  const opened = gpu === 'none' || givenUp.gpu ? null : await openGpu(gpu);
  const tapsOnGpu = tapsThatFit(shapeOf(model).layers, opened?.memoryBytes ?? null, solvingMethod(recipe));
  return new Devices({ session, gpu: opened, tapsOnGpu }, cpuFallback, givenUp);
}

/** What a run that has its tokens is going to do. */
function workloadOf({ recipe, model, devices, blocks, calibration, datasets }: Inputs): Workload {
  const windows = datasets.reduce((total, dataset) => total + dataset.windows, 0);
  const seqlen = datasets[0]?.seqlen ?? 0;
  const method = solvingMethod(recipe);
  return {
    method,
    isPruned: !prunesNothing(recipe),
    quantization: recipe.quantization,
    ...schedulingOf(recipe, calibration, (calibration?.heldBack.length ?? 0) / (calibration?.seqlen ?? 1)),
    gpu: gpuShare(shapeOf(model).layers, { ...recipe, method }, devices.gpu),
    blocks,
    calibration,
    evaluation: windows > 0 ? { sequences: windows, seqlen } : null,
    texts: [],
    tokenizingSeconds: 0,
  };
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
