import type { ErrorCode } from '../../contract/messages/en.ts';
import { resolve } from 'node:path';

import { freeBytes, mebibytes } from '../../disk/files.ts';
import { TamisError } from '../../contract/errors.ts';
import { MOST_ATTEMPTS } from '../../contract/goal.ts';
import type { Gpu } from '../../contract/gpu.ts';
import type { GpuPlan, Holder, Plan, StagePlan } from '../../contract/plan.ts';
import type { Recipe } from '../../contract/recipe.ts';
import { fixesTarget } from '../../contract/recipe/schedulers.ts';
import { packedModel } from '../../contract/size.ts';
import { layerSizes } from '../model/layers.ts';
import { openModel, type Model } from '../model/open.ts';
import { findGpu } from '../runtime/gpu.ts';
import { assertSchedule, readSparsities } from '../schedule/check.ts';
import {
  HELD_BACK,
  needsSensitivities,
  SENSITIVITY_SPARSITY,
  prunesNothing,
  solvingMethod,
} from '../schedule/needs.ts';
import { schedule } from '../schedule/schedule.ts';
import { sum } from '../model/costs.ts';
import { sourcesOf } from '../texts/sources.ts';
import { memoryBudget, refusalOf } from './budget.ts';
import { gpuBytes, gpuShare, layersOnCpu, type GpuShare } from './gpu-memory.ts';
import { isBusy, measuredRates } from './measure.ts';
import { stageMemory, total } from './memory.ts';
import { packedLayers, withSizeTarget } from './packed.ts';
import type { GpuRates, Rates } from './rates.ts';
import { resolveRecipe, unevenGroups, usesHessians } from './resolve.ts';
import { stageSeconds } from './seconds.ts';
import { shapeOf, type ModelShape } from '../model/shape.ts';
import { diskBytes } from './storage.ts';
import { corpusSize, type CorpusSize } from './texts.ts';
import { schedulingOf, stageOperations, stagesOf, type Sequences, type Workload } from './workload.ts';

export interface PlanOptions {
  /** Where the run would write; its file system's free space is compared with what is needed. */
  readonly out?: string | undefined;
  readonly signal: AbortSignal;
}

/** What a recipe will need, from its model's shapes and the rates of this machine; no text is read beyond its first 64 KiB. */
export async function plan(recipe: Recipe, { out, signal }: PlanOptions): Promise<Plan> {
  const model = await openModel(recipe.model);
  const told: Plan['warnings'] = [];
  const resolved = await resolveRecipe(recipe, model, (code, params) => told.push({ code, params }));
  const device = resolved.device === 'auto' ? 'cpu' : resolved.device;
  const threads = resolved.threads ?? 1;
  const shape = shapeOf(model);
  const blocks = resolved.blocks ?? shape.blocks;
  // A size's target is decided in the run; here stands what is foreseen of it before anything is measured.
  const foreseen = withSizeTarget(resolved, model);
  const layers = packedLayers(foreseen.quantization, model, blocks, await meanSparsity(foreseen, model, blocks));
  const gpu = resolved.gpu === 'none' || resolved.gpu === 'auto' ? null : await findGpu(resolved.gpu);
  const { workload, evaluation } = await workloadOf(
    resolved,
    model,
    gpuShare(shape.layers, { ...resolved, method: solvingMethod(resolved) }, gpu),
  );
  const { calibration, evaluation: windows, sensitivity } = workload;
  const seqlens = [calibration, windows, sensitivity].flatMap((sequences) => (sequences ? [sequences.seqlen] : []));
  const session = { device, threads };
  const gpuLayers = shape.layers.filter(({ tap }) => workload.gpu?.taps.has(tap));
  const solving = { method: workload.method, quantization: resolved.quantization };
  const rates = await measuredRates(model, { session, gpu, gpuLayers, seqlens, recipe: solving, signal });
  const stages = stagesOf(workload).map((stage): StagePlan => {
    const memory = stageMemory(shape, workload, stage).held;
    return {
      stage,
      operations: stageOperations(shape, workload, stage),
      seconds: stageSeconds(shape, workload, stage, rates),
      memory,
      peakMemoryBytes: total(memory),
    };
  });
  const budget = memoryBudget(resolved);
  const memory = { ...peakOf(stages), budgetBytes: budget };
  const { bytes: nonZeroBytes } = packedModel({ ...shape, layers, quantization: foreseen.quantization });
  const disk = {
    ...diskBytes(shape, workload, layers, resolved.fit?.kind === 'size' ? nonZeroBytes : 0),
    freeBytes: out === undefined ? null : await freeBytes(resolve(out)),
  };
  const seconds = sum(stages.map((stage) => stage.seconds));
  const search =
    resolved.fit === null
      ? null
      : {
          attempts: MOST_ATTEMPTS,
          seconds: seconds + (MOST_ATTEMPTS - 1) * (seconds - keptSeconds(shape, workload, rates)),
          diskBytes: disk.totalBytes + (MOST_ATTEMPTS - 1) * disk.outputBytes,
        };
  return {
    model: {
      folder: model.folder,
      family: model.family.family,
      dtype: model.dtype,
      ...sizesOf(model, shape.parameters, workload.blocks),
    },
    method: resolved.method,
    device,
    threads,
    gpu: gpu && rates.gpu && workload.gpu && gpuPlan(gpu, rates.gpu, model, shape, workload.gpu, workload.method),
    calibration,
    evaluation,
    stages,
    operations: sum(stages.flatMap(({ operations }) => Object.values(operations))),
    seconds,
    search,
    memory,
    disk,
    size: { denseBytes: shape.bytes, nonZeroBytes },
    refusal: refusalOf(shape, workload, budget),
    warnings: [...told, ...unevenGroups(resolved, model), ...warningsOf({ memory, disk, search }, out)],
  };
}

function gpuPlan(
  gpu: Gpu,
  { gemm, transfer }: GpuRates,
  { family }: Model,
  { layers }: ModelShape,
  share: GpuShare,
  method: Workload['method'],
): GpuPlan {
  return {
    ...gpu,
    neededBytes: gpuBytes(layers, share.taps, method),
    layersOnCpu: layersOnCpu(family.layers(0), share),
    gemmRate: gemm,
    transferRate: transfer,
  };
}

/** Seconds that a later run of the same model and data is spared: the dense perplexity, and the estimates but for the spectra. */
function keptSeconds(shape: ModelShape, work: Workload, rates: Rates): number {
  const dense = work.evaluation ? stageSeconds(shape, work, 'evaluate-dense', rates) : 0;
  if (work.estimate === null || work.estimate === 'spectra') return dense;
  return dense + stageSeconds(shape, { ...work, estimate: 'pass' }, 'estimate', rates);
}

function sizesOf(
  { family: { blocks, hidden, vocab } }: Model,
  parameters: number,
  blocksCompressed: number,
): Omit<Plan['model'], 'folder' | 'family' | 'dtype'> {
  return { parameters, blocks, blocksCompressed, hidden, vocab };
}

/** The numbers of a recipe that `resolveRecipe` made whole. */
async function workloadOf(
  recipe: Recipe,
  model: Model,
  gpu: GpuShare | null,
): Promise<{ workload: Workload; evaluation: Plan['evaluation'] }> {
  const sources = sourcesOf(model);
  const datasets: { name: string; size: CorpusSize }[] = [];
  for (const { name, corpus } of recipe.evaluation.datasets)
    datasets.push({ name, size: await corpusSize(corpus, sources) });
  const evaluation = datasets.map(({ name, size }) => windowsOf(name, size, recipe.evaluation));
  const calibration = usesHessians(recipe) ? await calibrationOf(recipe, sources) : null;
  const windows = sum(evaluation.map((dataset) => dataset.windows));
  const workload: Workload = {
    method: solvingMethod(recipe),
    isPruned: !prunesNothing(recipe),
    quantization: recipe.quantization,
    ...schedulingOf(recipe, calibration?.sequences ?? null, calibration?.heldBack ?? 0),
    gpu,
    blocks: recipe.blocks ?? model.family.blocks,
    calibration: calibration?.sequences ?? null,
    evaluation: windows > 0 ? { sequences: windows, seqlen: recipe.evaluation.seqlen ?? 0 } : null,
    texts: [calibration?.bytes ?? 0, ...datasets.map(({ size }) => size.bytes)],
    tokenizingSeconds: (calibration?.seconds ?? 0) + sum(datasets.map(({ size }) => size.bytes * size.secondsPerByte)),
  };
  return { workload, evaluation };
}

function windowsOf(
  dataset: string,
  { tokens, estimated }: CorpusSize,
  { seqlen, windows }: Recipe['evaluation'],
): Plan['evaluation'][number] {
  const length = seqlen ?? 0;
  const held = Math.floor(tokens / length);
  if (held === 0) throw new TamisError('evaluation.too-short', { dataset, tokens, seqlen: length });
  return { dataset, seqlen: length, windows: Math.min(held, windows ?? held), estimated };
}

interface PlannedCalibration {
  readonly sequences: Sequences;
  /** Sequences to measure on: others where the corpus has more, else the last of these. */
  readonly heldBack: number;
  /** Bytes of the text that is tokenized at once. */
  readonly bytes: number;
  readonly seconds: number;
}

/** Documents are drawn until there are enough sequences: as many texts of a file's mean size as sequences, at most all. */
async function calibrationOf(recipe: Recipe, sources: ReturnType<typeof sourcesOf>): Promise<PlannedCalibration> {
  const { corpus, sequences, seqlen } = recipe.calibration;
  if (corpus === null) throw new TamisError('recipe.no-calibration');
  const { tokens, bytes, files, estimated, secondsPerByte } = await corpusSize(corpus, sources);
  const length = seqlen ?? 0;
  const held = Math.floor(tokens / length);
  if (held === 0) throw new TamisError('calibration.too-short', { tokens, seqlen: length });
  const document = files === 0 ? 0 : bytes / files;
  const own = estimated ? sequences : Math.min(sequences, held);
  const heldBack = needsSensitivities(recipe) ? Math.min(HELD_BACK, held > own ? held - own : own) : 0;
  return {
    sequences: { sequences: own, seqlen: length },
    heldBack,
    bytes: document,
    seconds: Math.min(bytes, (own + heldBack) * document) * secondsPerByte,
  };
}

function peakOf(stages: readonly StagePlan[]): Omit<Plan['memory'], 'budgetBytes'> {
  const highest = stages.reduce((a, b) => (b.peakMemoryBytes > a.peakMemoryBytes ? b : a));
  const [largest, largestBytes] = (Object.entries(highest.memory) as [Holder, number][]).reduce((a, b) =>
    b[1] > a[1] ? b : a,
  );
  return {
    peakBytes: highest.peakMemoryBytes,
    stage: highest.stage,
    largest,
    largestBytes,
    freeBytes: process.availableMemory(),
  };
}

/**
 * Weighted by the layers' sizes: the target, what the pattern fixes, or the mean that a file amounts to. One that a perplexity is to
 * decide is taken for 70 %.
 */
async function meanSparsity(recipe: Recipe, model: Model, blocks: number): Promise<number> {
  const { nm, sparsity, scheduler } = recipe;
  const file = await readSparsities(recipe);
  const layers = layerSizes(model, blocks);
  assertSchedule(recipe, layers, file);
  if (nm) return nm.n / nm.m;
  if (!fixesTarget(scheduler)) return sparsity ?? SENSITIVITY_SPARSITY;
  const { sparsities } = schedule(scheduler, layers, 0, { file });
  const pruned = layers.map(({ name, weights }) => weights * (sparsities[name] ?? 0));
  return sum(pruned) / sum(layers.map(({ weights }) => weights));
}

function warningsOf(
  { memory, disk, search }: Pick<Plan, 'memory' | 'disk' | 'search'>,
  out: string | undefined,
): Plan['warnings'] {
  const warning = (code: ErrorCode, params: Record<string, string | number>): Plan['warnings'][number] => ({
    code,
    params,
  });
  const warnings: Plan['warnings'] = isBusy() ? [warning('plan.busy', {})] : [];
  if (memory.peakBytes > memory.freeBytes) {
    warnings.push(
      warning('plan.memory', {
        needed: mebibytes(memory.peakBytes),
        free: mebibytes(memory.freeBytes),
        stage: memory.stage,
      }),
    );
  }
  const free = disk.freeBytes ?? Infinity;
  const place = { path: resolve(out ?? ''), free: mebibytes(free) };
  if (disk.totalBytes > free) {
    warnings.push(warning('plan.disk', { ...place, needed: mebibytes(disk.totalBytes) }));
  } else if (search && search.diskBytes > free) {
    const { attempts, diskBytes: needed } = search;
    warnings.push(warning('plan.search-disk', { ...place, attempts, needed: mebibytes(needed) }));
  }
  return warnings;
}
