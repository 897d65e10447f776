import { byteSize } from '../../../contract/byte-size.ts';
import type { Boot } from '../../../contract/bridge.ts';
import { defaultOf, type Field } from '../../../contract/recipe/field.ts';
import { schedulerKinds, type SchedulerKind } from '../../../contract/recipe/schedulers.ts';
import type { Bits, Corpus, Dataset, Goal, Recipe } from '../../../contract/recipe.ts';
import { fieldAt, fieldPaths, partsOf, pathsOf, type Amount, type FieldValues } from './fields.ts';
import { presetRecipe, type PresetId } from './presets.ts';

/**
 * What stands in the fields of the page: one or several recipes at once. A field of a recipe stands there by its path, shares in
 * percent and bytes in GiB.
 */
export interface Draft extends Omit<FieldValues, 'quantization.bits'> {
  readonly model: string;
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
  /** null = not quantized, whatever stands in the other fields of quantization. */
  readonly 'quantization.bits': Bits | null;
}

export type FieldName = keyof Draft;

/** The fields of a recipe; of schedulers and quantization that it does not have, their defaults. */
export function draftOf(recipe: Recipe): Draft {
  const { model, nm, fit, sparsity, scheduler, quantization, calibration, evaluation } = recipe;
  const groups: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
    '': recipe,
    quantization: quantization ?? {},
    calibration,
    evaluation,
    [scheduler.kind]: scheduler,
  };
  const values = fieldPaths.map((path) => {
    const [group, name] = partsOf(path);
    const value = groups[group]?.[name];
    const field = fieldAt(path);
    return [path, standing(field, value === undefined ? defaultOf(field) : value)] as const;
  });
  return {
    ...(Object.fromEntries(values) as unknown as FieldValues & Pick<Draft, 'quantization.bits'>),
    model,
    pattern: nm ? 'nm' : 'unstructured',
    n: nm?.n ?? 2,
    m: nm?.m ?? 4,
    aim: fit?.kind ?? 'sparsity',
    goalSize: fit?.kind === 'size' ? goalSize(fit.bytes) : '',
    goalPerplexity: fit?.kind === 'perplexity' ? fit.perplexity : '',
    targets: String(percentOf(sparsity ?? 0.7)),
    schedulers: [scheduler.kind],
  };
}

/** What stands on the page for a value of a recipe. */
function standing(field: Field, value: unknown): unknown {
  if (field.control === 'amount') return typeof value === 'number' ? inUnit(field, value) : '';
  return value ?? (field.control === 'path' ? '' : null);
}

/** A number as the page shows it. */
export function inUnit(field: Field, value: number): number {
  const unit = field.control === 'amount' ? field.unit : undefined;
  return unit === 'percent' ? percentOf(value) : unit === 'gibibytes' ? value / 2 ** 30 : value;
}

/** Without the rounding of the product: 0.07 as 7, not 7.000000000000001. */
export function percentOf(share: number): number {
  return Number((100 * share).toPrecision(15));
}

/** As it is read again, in 10⁹ or 10⁶ bytes where they say it exactly enough. */
function goalSize(bytes: number): string {
  return bytes % 1e6 === 0 ? `${bytes / 1e9}GB` : byteSize(bytes);
}

/** The fields as a preset has them; the demo model comes with its texts, in the size of the command line's demo. */
export function presetDraft(preset: PresetId, model: string, { demo, settings }: Boot): Draft {
  const draft = draftOf(presetRecipe(preset, model));
  const { device, gpu, threads, memory } = settings;
  const own = { ...draft, device, gpu, threads: threads ?? '', memory: memory === null ? '' : memory / 2 ** 30 };
  if (model !== demo.model) return own;
  return {
    ...own,
    'calibration.corpus': demoCalibration(demo),
    'calibration.sequences': 128,
    'calibration.seqlen': 256,
    'evaluation.datasets': [demoDataset(demo)],
    'evaluation.windows': 256,
    'evaluation.seqlen': 256,
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

/** What a preset is about: choosing one sets these, whatever stood there. Exceptions name layers of a model. */
const presetFields: readonly FieldName[] = [
  'method',
  'pattern',
  'n',
  'm',
  'aim',
  'goalSize',
  'goalPerplexity',
  'targets',
  'schedulers',
  ...pathsOf('quantization'),
];

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
