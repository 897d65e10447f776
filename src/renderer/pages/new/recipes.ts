import type { z } from 'zod';

import type { ModelHead } from '../../../contract/library.ts';
import type { LabelKey } from '../../../contract/messages/labels.ts';
import { parseByteSize } from '../../../contract/byte-size.ts';
import type { MessageParams } from '../../../contract/messages/params.ts';
import type { AmountField, Field } from '../../../contract/recipe/field.ts';
import { fixesTarget, needsData, type SchedulerKind } from '../../../contract/recipe/schedulers.ts';
import { methods } from '../../../contract/recipe/methods.ts';
import { recipeInputSchema, type RecipeInput } from '../../../contract/recipe.ts';
import { inUnit, type Draft, type FieldName } from './draft.ts';
import { fieldAt, fieldPaths, isFieldPath, partsOf, pathsOf, type Amount } from './fields.ts';

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
    ...valuesOf(draft, ''),
    quantization: draft['quantization.bits'] === null ? null : valuesOf(draft, 'quantization'),
    calibration: valuesOf(draft, 'calibration'),
    evaluation: valuesOf(draft, 'evaluation'),
  };
  if (draft.pattern === 'nm') return [{ ...common, nm: { n: numberOf(draft.n), m: numberOf(draft.m) } }];
  return draft.schedulers.flatMap((kind): Settings[] => {
    const scheduler = schedulerOf(draft, kind);
    if (draft.aim !== 'sparsity') return [{ ...common, scheduler, fit: fitOf(draft) }];
    if (fixesTarget(scheduler)) return [{ ...common, scheduler }];
    return targets.map((sparsity) => ({ ...common, sparsity, scheduler }));
  });
}

function fitOf({ aim, goalSize, goalPerplexity }: Draft): unknown {
  return aim === 'size'
    ? { kind: aim, bytes: parseByteSize(goalSize) }
    : { kind: aim, perplexity: numberOf(goalPerplexity) };
}

function schedulerOf(draft: Draft, kind: SchedulerKind): NonNullable<Settings['scheduler']> {
  return { kind, ...valuesOf(draft, kind) };
}

/** What the fields of a group give a recipe, by their names. */
function valuesOf(draft: Draft, group: string): Fields {
  const values = fieldPaths.flatMap((path) => {
    const [of, name] = partsOf(path);
    const value = of === group ? valueOf(fieldAt(path), draft[path]) : undefined;
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(values);
}

/** undefined where it is left to what holds without it. */
function valueOf(field: Field, standing: unknown): unknown {
  const value = field.control === 'amount' ? amountOf(field, standing as Amount) : standing;
  const isLeftOut = value === null && 'unset' in field && !field.schema.safeParse(null).success;
  return isLeftOut ? undefined : value;
}

function amountOf({ unit }: AmountField, amount: Amount): number | null {
  const number = numberOf(amount);
  if (number === null || unit === undefined) return number;
  return unit === 'percent' ? shareOf(number) : Math.round(number * 2 ** 30);
}

/** null where nothing is written, NaN where it is no number. */
function numberOf(amount: Amount): number | null {
  return String(amount).trim() === '' ? null : Number(amount);
}

function shareOf(percent: number): number {
  return Number((percent / 100).toPrecision(15));
}

/** What no schema of a single recipe sees. */
function missing(draft: Draft, targets: readonly number[] | null, runs: number): FieldErrors {
  const { schedulers, pattern, aim, 'evaluation.datasets': datasets } = draft;
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
    ...(unstructured &&
      aim !== 'sparsity' &&
      schedulers.some((kind) => fixesTarget({ kind })) &&
      error('schedulers', 'invalid.goal-file')),
    ...(unstructured &&
      aim === 'perplexity' &&
      datasets.length === 0 &&
      error('evaluation.datasets', 'invalid.goal-dataset')),
    ...(runs > most && error('targets', 'invalid.too-many', { runs, most })),
    ...(unstructured && missingFiles(draft)),
    ...(draft['calibration.corpus'] === null &&
      needsCalibration(draft) &&
      error('calibration.corpus', 'invalid.no-calibration')),
    ...(twice !== undefined && error('evaluation.datasets', 'invalid.two-datasets', { name: twice })),
    ...(draft['quantization.bits'] !== null && wrongQuantization(draft)),
  };
}

/** The files that the chosen schedulers are to name. */
function missingFiles(draft: Draft): FieldErrors {
  const files = draft.schedulers.flatMap(pathsOf).filter((path) => fieldAt(path).control === 'path');
  const missing = files.filter((path) => draft[path] === '');
  return Object.fromEntries(missing.map((path) => [path, { key: 'invalid.no-file', params: {} } satisfies FieldError]));
}

function wrongQuantization(draft: Draft): FieldErrors {
  const { method, pattern } = draft;
  const key = pattern === 'nm' ? 'invalid.act-order-nm' : methods[method].sweeps ? null : 'invalid.act-order-method';
  const unnamed = draft['quantization.exceptions'].some(({ layers }) => layers === '');
  return {
    ...(draft['quantization.actOrder'] && key !== null && { 'quantization.actOrder': { key, params: {} } }),
    ...(unnamed && { 'quantization.exceptions': { key: 'invalid.no-pattern', params: {} } }),
  };
}

function needsCalibration(draft: Draft): boolean {
  const { method, pattern, schedulers, aim } = draft;
  return (
    methods[method].calibrates ||
    (pattern === 'unstructured' && aim === 'perplexity') ||
    (pattern === 'unstructured' && schedulers.some((kind) => needsData(schedulerOf(draft, kind))))
  );
}

function beyondModel(draft: Draft, head: ModelHead | null): FieldErrors {
  if (head === null) return {};
  const { maxSeqlen, blocks } = head;
  const limits = { 'calibration.seqlen': maxSeqlen, 'evaluation.seqlen': maxSeqlen, blocks } as const;
  const names = (Object.keys(limits) as (keyof typeof limits)[]).filter((name) => Number(draft[name]) > limits[name]);
  return Object.fromEntries(
    names.map((name) => [name, { key: 'invalid.beyond-model', params: { limit: limits[name] } } satisfies FieldError]),
  );
}

/** Where what is no field by itself stands on the page. */
const places: Readonly<Record<string, FieldName>> = {
  nm: 'n',
  'nm.n': 'n',
  'nm.m': 'm',
  'fit.bytes': 'goalSize',
  'fit.perplexity': 'goalPerplexity',
};

/** Where an issue of a recipe stands on the page, those of a scheduler by its kind. */
function placeOf(path: string): FieldName | undefined {
  return isFieldPath(path) ? path : places[path];
}

interface Issue {
  readonly settings: Settings;
  readonly issue: z.core.$ZodIssue;
}

function errorsOf(issues: readonly Issue[]): FieldErrors {
  return Object.fromEntries(
    issues.flatMap(({ settings: { scheduler }, issue }) => {
      const [first, ...rest] = issue.path;
      const name = placeOf([first === 'scheduler' ? scheduler?.kind : first, ...rest].join('.'));
      return name === undefined ? [] : [[name, errorOf(issue, name)]];
    }),
  );
}

function errorOf(issue: z.core.$ZodIssue, name: FieldName): FieldError {
  const limit = (value: number | bigint): MessageParams => ({
    limit: isFieldPath(name) ? inUnit(fieldAt(name), Number(value)) : Number(value),
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
