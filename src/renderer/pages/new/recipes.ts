import type { z } from 'zod';

import type { ModelHead } from '../../../contract/library.ts';
import type { LabelKey } from '../../../contract/messages/labels.ts';
import { parseByteSize } from '../../../contract/byte-size.ts';
import type { MessageParams } from '../../../contract/messages/params.ts';
import { methods } from '../../../contract/recipe/methods.ts';
import { recipeInputSchema, type RecipeInput } from '../../../contract/recipe.ts';
import { percentOf, type Amount, type Draft, type FieldName, type SchedulerKind } from './draft.ts';

/** What is wrong with a field, as a label and its params. */
export interface FieldError {
  readonly key: LabelKey & `invalid.${string}`;
  readonly params: MessageParams;
}
export type FieldErrors = Partial<Record<FieldName, FieldError>>;

export interface Recipes {
  /** One a target and scheduler; none while a field is wrong. */
  readonly recipes: readonly RecipeInput[];
  readonly errors: FieldErrors;
}

/** So many runs may be queued at once. */
const most = 100;

/** The recipes that the fields amount to, or what is wrong with them. `head` is what is known of the model. */
export function recipesOf(draft: Draft, head: ModelHead | null): Recipes {
  const targets = targetsOf(draft);
  const drafts = settingsOf(draft, targets ?? [0.7]);
  const parsed = drafts.map((settings) => ({ settings, ...recipeInputSchema.safeParse(settings) }));
  const issues = parsed.flatMap(({ settings, error }) => (error?.issues ?? []).map((issue) => ({ settings, issue })));
  const errors: FieldErrors = {
    ...errorsOf(issues),
    ...missing(draft, targets, drafts.length),
    ...beyondModel(draft, head),
  };
  const recipes = parsed.flatMap(({ data }) => data ?? []);
  return { recipes: Object.keys(errors).length === 0 ? recipes : [], errors };
}

/** Shares, ascending as written; null where the list is no list of numbers. */
function targetsOf({ targets }: Draft): readonly number[] | null {
  const parts = targets.split(/[,;，、%％\s]+/).filter((part) => part !== '');
  const numbers = parts.map(Number);
  if (numbers.length === 0 || numbers.some((value) => !(value >= 0 && value < 100))) return null;
  return [...new Set(numbers)].map((percent) => shareOf(percent));
}

/** A recipe as it stands in the fields, right or wrong. */
type Fields = Readonly<Record<string, unknown>>;
type Settings = Fields & { readonly scheduler?: Fields & { readonly kind: SchedulerKind } };

function settingsOf(draft: Draft, targets: readonly number[]): Settings[] {
  const common = {
    model: draft.model,
    method: draft.method,
    percdamp: numberOf(draft.percdamp),
    quantization: quantizationOf(draft),
    calibration: {
      corpus: draft.calibration,
      sequences: numberOf(draft.sequences),
      seqlen: numberOf(draft.calibrationSeqlen),
    },
    evaluation: {
      datasets: draft.datasets,
      windows: numberOf(draft.windows),
      seqlen: numberOf(draft.evaluationSeqlen),
    },
    seed: numberOf(draft.seed),
    device: draft.device,
    gpu: draft.gpu,
    cpuFallback: draft.cpuFallback,
    threads: numberOf(draft.threads),
    memory: bytesOf(numberOf(draft.memory)),
    blocks: numberOf(draft.blocks),
  };
  if (draft.pattern === 'nm') return [{ ...common, nm: { n: numberOf(draft.n), m: numberOf(draft.m) } }];
  return draft.schedulers.flatMap((kind) => {
    const scheduler = schedulerOf(draft, kind);
    if (draft.aim !== 'sparsity') return [{ ...common, scheduler, fit: fitOf(draft) }];
    if (kind === 'file') return [{ ...common, scheduler }];
    return targets.map((sparsity) => ({ ...common, sparsity, scheduler }));
  });
}

function fitOf({ aim, goalSize, goalPerplexity }: Draft): unknown {
  return aim === 'size'
    ? { kind: aim, bytes: parseByteSize(goalSize) }
    : { kind: aim, perplexity: numberOf(goalPerplexity) };
}

function quantizationOf(draft: Draft): RecipeInput['quantization'] {
  const { bits, groupSize, symmetric, actOrder, staticGroups, codeRange, exceptions } = draft;
  return bits === null
    ? null
    : { bits, groupSize, symmetric, actOrder, staticGroups, range: codeRange, exceptions: [...exceptions] };
}

function schedulerOf(draft: Draft, kind: SchedulerKind): NonNullable<Settings['scheduler']> {
  switch (kind) {
    case 'auto':
    case 'uniform':
      return { kind };
    case 'allocate':
      return { kind, ...given({ range: shareOf(numberOf(draft.allocateRange)) }) };
    case 'kmeans':
      return {
        kind,
        ...given({ estimate: draft.estimate, groups: numberOf(draft.groups), mapping: draft.mapping }),
        ...given({ power: numberOf(draft.power), range: shareOf(numberOf(draft.range)) }),
        min: shareOf(numberOf(draft.min)),
        max: shareOf(numberOf(draft.max)),
      };
    case 'owl':
      return { kind, lambda: numberOf(draft.lambda), m: numberOf(draft.owlM) };
    case 'alpha':
      return { kind, epsilon: numberOf(draft.epsilon) };
    case 'atp':
      return { kind, ...given({ beta: numberOf(draft.beta) }) };
    case 'file':
      return { kind, path: draft.sparsities };
  }
}

/** null where nothing is written, NaN where it is no number. */
function numberOf(amount: Amount): number | null {
  return String(amount).trim() === '' ? null : Number(amount);
}

function bytesOf(gibibytes: number | null): number | null {
  return gibibytes === null ? null : Math.round(gibibytes * 2 ** 30);
}

function shareOf(percent: number): number;
function shareOf(percent: number | null): number | null;
function shareOf(percent: number | null): number | null {
  return percent === null ? null : Number((percent / 100).toPrecision(15));
}

function given(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

/** What no schema of a single recipe sees. */
function missing(draft: Draft, targets: readonly number[] | null, runs: number): FieldErrors {
  const { datasets, schedulers, pattern, aim } = draft;
  const error = (name: FieldName, key: FieldError['key'], params: MessageParams = {}): FieldErrors => ({
    [name]: { key, params },
  });
  const unstructured = pattern === 'unstructured';
  const names = datasets.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  return {
    ...(draft.model === '' && error('model', 'invalid.no-model')),
    ...(unstructured && aim === 'sparsity' && targets === null && error('targets', 'invalid.targets')),
    ...(unstructured && schedulers.length === 0 && error('schedulers', 'invalid.no-scheduler')),
    ...(unstructured && aim !== 'sparsity' && schedulers.includes('file') && error('schedulers', 'invalid.goal-file')),
    ...(unstructured && aim === 'perplexity' && datasets.length === 0 && error('datasets', 'invalid.goal-dataset')),
    ...(runs > most && error('targets', 'invalid.too-many', { runs, most })),
    ...(unstructured &&
      schedulers.includes('file') &&
      draft.sparsities === '' &&
      error('sparsities', 'invalid.no-file')),
    ...(draft.calibration === null && needsCalibration(draft) && error('calibration', 'invalid.no-calibration')),
    ...(twice !== undefined && error('datasets', 'invalid.two-datasets', { name: twice })),
    ...(draft.bits !== null && wrongQuantization(draft)),
  };
}

function wrongQuantization({ method, pattern, actOrder, exceptions }: Draft): FieldErrors {
  const key = pattern === 'nm' ? 'invalid.act-order-nm' : methods[method].sweeps ? null : 'invalid.act-order-method';
  const unnamed = exceptions.some(({ layers }) => layers === '');
  return {
    ...(actOrder && key !== null && { actOrder: { key, params: {} } }),
    ...(unnamed && { exceptions: { key: 'invalid.no-pattern', params: {} } }),
  };
}

function needsCalibration({ method, pattern, schedulers, aim }: Draft): boolean {
  return (
    methods[method].calibrates ||
    (pattern === 'unstructured' && aim === 'perplexity') ||
    (pattern === 'unstructured' && schedulers.some((kind) => ['auto', 'allocate', 'kmeans', 'owl'].includes(kind)))
  );
}

function beyondModel(draft: Draft, head: ModelHead | null): FieldErrors {
  if (head === null) return {};
  const limits = { calibrationSeqlen: head.maxSeqlen, evaluationSeqlen: head.maxSeqlen, blocks: head.blocks } as const;
  const names = (Object.keys(limits) as (keyof typeof limits)[]).filter((name) => Number(draft[name]) > limits[name]);
  return Object.fromEntries(
    names.map((name) => [name, { key: 'invalid.beyond-model', params: { limit: limits[name] } } satisfies FieldError]),
  );
}

/** Where a field of a recipe, or of a kind of scheduler, stands on the page. */
const places: Readonly<Record<string, FieldName>> = {
  nm: 'n',
  'nm.n': 'n',
  'nm.m': 'm',
  percdamp: 'percdamp',
  'fit.bytes': 'goalSize',
  'fit.perplexity': 'goalPerplexity',
  'calibration.sequences': 'sequences',
  'calibration.seqlen': 'calibrationSeqlen',
  'evaluation.datasets': 'datasets',
  'evaluation.windows': 'windows',
  'evaluation.seqlen': 'evaluationSeqlen',
  seed: 'seed',
  threads: 'threads',
  memory: 'memory',
  blocks: 'blocks',
  'allocate.range': 'allocateRange',
  'kmeans.groups': 'groups',
  'kmeans.power': 'power',
  'kmeans.range': 'range',
  'kmeans.min': 'min',
  'kmeans.max': 'max',
  'owl.lambda': 'lambda',
  'owl.m': 'owlM',
  'alpha.epsilon': 'epsilon',
  'atp.beta': 'beta',
};

const inPercent: ReadonlySet<FieldName> = new Set(['range', 'allocateRange', 'min', 'max']);

interface Issue {
  readonly settings: Settings;
  readonly issue: z.core.$ZodIssue;
}

function errorsOf(issues: readonly Issue[]): FieldErrors {
  return Object.fromEntries(
    issues.flatMap(({ settings: { scheduler }, issue }) => {
      const [first, ...rest] = issue.path;
      const name = places[[first === 'scheduler' ? scheduler?.kind : first, ...rest].join('.')];
      return name === undefined ? [] : [[name, errorOf(issue, name)]];
    }),
  );
}

function errorOf(issue: z.core.$ZodIssue, name: FieldName): FieldError {
  const limit = (value: number | bigint): MessageParams => ({
    limit: inPercent.has(name) ? percentOf(Number(value)) : Number(value),
  });
  if (name === 'goalSize') return { key: 'invalid.size', params: {} };
  if (issue.code === 'too_small')
    return { key: issue.inclusive === false ? 'invalid.above' : 'invalid.at-least', params: limit(issue.minimum) };
  if (issue.code === 'too_big')
    return { key: issue.inclusive === false ? 'invalid.below' : 'invalid.at-most', params: limit(issue.maximum) };
  if (issue.code === 'invalid_type')
    return { key: issue.expected === 'int' ? 'invalid.whole' : 'invalid.number', params: {} };
  return { key: name === 'n' ? 'invalid.n-of-m' : 'invalid.number', params: {} };
}
