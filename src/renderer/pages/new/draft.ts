import { byteSize } from '../../../contract/byte-size.ts';
import type { Boot } from '../../../contract/bridge.ts';
import { schedulerKinds } from '../../../contract/recipe/schedulers.ts';
import { presetRecipe, type PresetId } from './presets.ts';
import type { Method } from '../../../contract/recipe/methods.ts';
import type { EstimateKind } from '../../../contract/recipe/schedulers.ts';
import {
  quantizationSchema,
  type Bits,
  type Corpus,
  type Dataset,
  type Device,
  type Goal,
  type Quantization,
  type Recipe,
  type Scheduler,
} from '../../../contract/recipe.ts';

/** A number as it stands in its field; empty = left to the default. */
export type Amount = number | string;
export type SchedulerKind = Scheduler['kind'];

/** What stands in the fields of the page: one or several recipes at once. Sparsities are in percent. */
export interface Draft {
  readonly model: string;
  readonly method: Method;
  readonly pattern: 'unstructured' | 'nm';
  readonly n: Amount;
  readonly m: Amount;
  /** What is given: the target itself, or what it is to be found by. */
  readonly aim: 'sparsity' | Goal['kind'];
  /** `3.2GB`. */
  readonly goalSize: string;
  readonly goalPerplexity: Amount;
  /** A list: `70, 75, 80`. */
  readonly targets: string;
  readonly schedulers: readonly SchedulerKind[];
  readonly estimate: EstimateKind | null;
  readonly groups: Amount;
  readonly mapping: 'power' | 'linear' | null;
  readonly power: Amount;
  readonly range: Amount;
  readonly allocateRange: Amount;
  readonly min: Amount;
  readonly max: Amount;
  readonly lambda: Amount;
  readonly owlM: Amount;
  readonly epsilon: Amount;
  readonly beta: Amount;
  readonly sparsities: string;
  readonly percdamp: Amount;
  /** null = not quantized, whatever stands in the other fields of quantization. */
  readonly bits: Bits | null;
  readonly groupSize: Quantization['groupSize'];
  readonly symmetric: boolean;
  readonly actOrder: boolean;
  readonly staticGroups: boolean;
  readonly codeRange: Quantization['range'];
  readonly exceptions: Quantization['exceptions'];
  readonly calibration: Corpus | null;
  readonly sequences: Amount;
  readonly calibrationSeqlen: Amount;
  readonly datasets: readonly Dataset[];
  readonly windows: Amount;
  readonly evaluationSeqlen: Amount;
  readonly seed: Amount;
  readonly device: Device;
  readonly gpu: string;
  readonly cpuFallback: boolean;
  readonly threads: Amount;
  /** GiB. */
  readonly memory: Amount;
  readonly blocks: Amount;
}

export type FieldName = keyof Draft;

/** The fields of a recipe; of schedulers and quantization that it does not have, their defaults. */
export function draftOf(recipe: Recipe): Draft {
  const { model, method, nm, fit, sparsity, scheduler, percdamp, calibration, evaluation } = recipe;
  const quantization = recipe.quantization ?? quantizationSchema.parse({ bits: 4 });
  const kmeans = scheduler.kind === 'kmeans' ? scheduler : ({ min: 0, max: 0.95 } as const);
  const owl = scheduler.kind === 'owl' ? scheduler : { lambda: 0.08, m: 5 };
  return {
    model,
    method,
    pattern: nm ? 'nm' : 'unstructured',
    n: nm?.n ?? 2,
    m: nm?.m ?? 4,
    aim: fit?.kind ?? 'sparsity',
    goalSize: fit?.kind === 'size' ? goalSize(fit.bytes) : '',
    goalPerplexity: fit?.kind === 'perplexity' ? fit.perplexity : '',
    targets: String(percentOf(sparsity ?? 0.7)),
    schedulers: [scheduler.kind],
    estimate: ('estimate' in kmeans ? kmeans.estimate : undefined) ?? null,
    groups: ('groups' in kmeans ? kmeans.groups : undefined) ?? '',
    mapping: ('mapping' in kmeans ? kmeans.mapping : undefined) ?? null,
    power: ('power' in kmeans ? kmeans.power : undefined) ?? '',
    range: 'range' in kmeans && kmeans.range !== undefined ? percentOf(kmeans.range) : '',
    allocateRange: percentOf(scheduler.kind === 'allocate' ? scheduler.range : 0.1),
    min: percentOf(kmeans.min),
    max: percentOf(kmeans.max),
    lambda: owl.lambda,
    owlM: owl.m,
    epsilon: scheduler.kind === 'alpha' ? scheduler.epsilon : 0.3,
    beta: (scheduler.kind === 'atp' ? scheduler.beta : undefined) ?? '',
    sparsities: scheduler.kind === 'file' ? scheduler.path : '',
    percdamp,
    bits: recipe.quantization?.bits ?? null,
    groupSize: quantization.groupSize,
    symmetric: quantization.symmetric,
    actOrder: quantization.actOrder,
    staticGroups: quantization.staticGroups,
    codeRange: quantization.range,
    exceptions: quantization.exceptions,
    calibration: calibration.corpus,
    sequences: calibration.sequences,
    calibrationSeqlen: calibration.seqlen ?? '',
    datasets: evaluation.datasets,
    windows: evaluation.windows ?? '',
    evaluationSeqlen: evaluation.seqlen ?? '',
    seed: recipe.seed,
    device: recipe.device,
    gpu: recipe.gpu,
    cpuFallback: recipe.cpuFallback,
    threads: recipe.threads ?? '',
    memory: gibibytesOf(recipe.memory),
    blocks: recipe.blocks ?? '',
  };
}

/** Without the rounding of the product: 0.07 as 7, not 7.000000000000001. */
export function percentOf(share: number): number {
  return Number((100 * share).toPrecision(15));
}

/** As it is read again, in 10⁹ or 10⁶ bytes where they say it exactly enough. */
function goalSize(bytes: number): string {
  return bytes % 1e6 === 0 ? `${bytes / 1e9}GB` : byteSize(bytes);
}

/** What stands in a field of GiB. */
function gibibytesOf(bytes: number | null): Amount {
  return bytes === null ? '' : bytes / 2 ** 30;
}

/** The fields as a preset has them; the demo model comes with its texts, in the size of the command line's demo. */
export function presetDraft(preset: PresetId, model: string, { demo, settings }: Boot): Draft {
  const draft = draftOf(presetRecipe(preset, model));
  const { device, gpu, threads, memory } = settings;
  const own = { ...draft, device, gpu, threads: threads ?? '', memory: gibibytesOf(memory) };
  if (model !== demo.model) return own;
  return {
    ...own,
    calibration: demoCalibration(demo),
    sequences: 128,
    calibrationSeqlen: 256,
    datasets: [demoDataset(demo)],
    windows: 256,
    evaluationSeqlen: 256,
  };
}

export function demoCalibration(demo: Boot['demo']): Corpus {
  return { kind: 'texts', paths: [demo.calibration] };
}

export function demoDataset(demo: Boot['demo']): Dataset {
  return { name: 'demo', corpus: { kind: 'texts', paths: [demo.evaluation] } };
}

/** The fields that differ from the preset's. */
export function changedFields(draft: Draft, base: Draft): ReadonlySet<FieldName> {
  return new Set(fieldNames(draft).filter((name) => !same(draft[name], base[name])));
}

/** The draft with another preset or model behind it: what the person has not changed follows. */
export function rebase(draft: Draft, before: Draft, after: Draft): Draft {
  const kept = fieldNames(draft).filter((name) => !same(draft[name], before[name]));
  return { ...after, ...Object.fromEntries(kept.map((name) => [name, draft[name]])) };
}

/** What a preset is about: choosing one sets these, whatever stood there. */
const presetFields = [
  'method',
  'pattern',
  'n',
  'm',
  'aim',
  'goalSize',
  'goalPerplexity',
  'targets',
  'schedulers',
  'bits',
  'groupSize',
  'symmetric',
  'actOrder',
  'staticGroups',
  'codeRange',
] as const;

export function withPreset(draft: Draft, before: Draft, after: Draft): Draft {
  const set = Object.fromEntries(presetFields.map((name) => [name, after[name]]));
  return { ...rebase(draft, before, after), ...set };
}

export function withScheduler(draft: Draft, kind: SchedulerKind, chosen: 'in' | 'out'): readonly SchedulerKind[] {
  const kinds = new Set(draft.schedulers);
  if (chosen === 'in') kinds.add(kind);
  else kinds.delete(kind);
  return schedulerKinds.filter((each) => kinds.has(each));
}

function fieldNames(draft: Draft): FieldName[] {
  return Object.keys(draft) as FieldName[];
}

function same(a: Draft[FieldName], b: Draft[FieldName]): boolean {
  return typeof a === 'object' || typeof b === 'object'
    ? JSON.stringify(a) === JSON.stringify(b)
    : String(a) === String(b);
}
