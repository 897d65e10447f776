import { megabytes, percent, significant } from './format.ts';
import type { Label } from './messages/labels.ts';
import type { MessageParams } from './messages/params.ts';
import type { Field, Fields } from './recipe/field.ts';
import { machineFields, pruningFields } from './recipe/fields.ts';
import { methods } from './recipe/methods.ts';
import { schedulers } from './recipe/schedulers.ts';
import type { Corpus, Goal, Recipe, Scheduler } from './recipe.ts';
import type { Candidate, Centroid, Choice, Report } from './report.ts';
import { targetsOf } from './targets.ts';

export function patternWords({ nm }: Recipe, t: Label): string {
  return nm === null ? t('text.unstructured') : t('text.nm', nm);
}

/** What is known of a schedule beyond the recipe's settings; null while it is not. */
interface Scheduled {
  /** Number of groups. */
  readonly groups: number | null;
  readonly choice: Choice | null;
}

/** What the scheduler did, with the settings that the recipe names. */
export function schedulerWords(scheduler: Scheduler, { groups, choice }: Scheduled, t: Label): string {
  switch (scheduler.kind) {
    case 'auto': {
      const taken = takenOf(choice);
      if (taken === null) return t('text.scheduler.auto');
      const { range } = taken;
      const explicit: Scheduler = range === null ? { kind: 'uniform' } : { kind: 'allocate', range };
      return t('text.scheduler.auto-taken', { taken: schedulerWords(explicit, { groups, choice: null }, t) });
    }
    case 'kmeans':
      return t('text.scheduler.kmeans', {
        groups: groupsWords(groups ?? scheduler.groups, t),
        mapping: mappingWords(scheduler, t),
        min: percent(scheduler.min, 0),
        max: percent(scheduler.max, 0),
      });
    case 'atp':
      if (scheduler.beta === undefined) return t('text.scheduler.atp-default');
      break;
    default:
      break;
  }
  return t(`text.scheduler.${scheduler.kind}`, settingWords(scheduler));
}

/** The settings of a scheduler by their names, shares in percent. */
function settingWords({ kind, ...settings }: Scheduler): MessageParams {
  const fields: Fields = schedulers[kind].fields;
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => {
      const field = fields[name];
      const isShare = field?.control === 'amount' && field.unit === 'percent';
      return [name, isShare ? percent(Number(value), 0) : value];
    }),
  );
}

/** A schedule that `auto` tried: `allocate ±10`. */
export function candidateName({
  scheduler,
  range,
  targets,
}: Pick<Candidate, 'scheduler' | 'range' | 'targets'>): string {
  const schedule = range === null ? scheduler : `${scheduler} ±${percent(range, 0)}`;
  return targets === 'dense' ? `${schedule}, dense targets` : schedule;
}

/** Whether a candidate did better than uniform by more than noise. */
export function isClearlyBetter({ difference }: Candidate, margin: number | null): boolean {
  return difference !== null && margin !== null && difference.mean < -margin * difference.standardError;
}

/** What became of a candidate. */
export function verdictWords({ candidates, margin, chosen }: Choice, index: number, t: Label): string {
  const candidate = candidates[index];
  if (candidate === undefined) return '';
  if (index === chosen) return t('text.choice-taken');
  if (candidate.perplexity === null) return t('text.choice-not-finite');
  return candidate.difference === null || isClearlyBetter(candidate, margin) ? '' : t('text.choice-unclear');
}

/** A difference from uniform with its standard error: `−0.0785 ± 0.0031`; a dash where there is none. */
export function differenceWords({ difference }: Candidate): string {
  if (difference === null) return '–';
  return `${significant(difference.mean, 3)} ± ${significant(difference.standardError, 2)}`;
}

function takenOf(choice: Choice | null): Candidate | null {
  return choice?.candidates[choice.chosen] ?? null;
}

/** The scheduler in a word; of `auto` with what it took: `auto (allocate ±10)`. */
export function schedulerName({ recipe, choice }: Pick<Report, 'recipe' | 'choice'>): string {
  const taken = takenOf(choice);
  return taken === null ? recipe.scheduler.kind : `${recipe.scheduler.kind} (${candidateName(taken)})`;
}

function groupsWords(groups: number | undefined, t: Label): string {
  if (groups === undefined) return t('text.groups-default');
  return groups > 0 ? t('text.groups', { groups }) : t('text.groups-none');
}

function mappingWords({ mapping, power, range }: Extract<Scheduler, { kind: 'kmeans' }>, t: Label): string {
  if (mapping === 'power' && power !== undefined) return t('text.mapping.power', { power });
  if (mapping === 'linear' && range !== undefined) return t('text.mapping.linear', { range: percent(range, 0) });
  return t('text.mapping.default');
}

function sweepOf(method: Recipe['method']): 'joint' | 'after' | 'nearest' {
  const { sweeps, iterates } = methods[method];
  if (!sweeps) return 'nearest';
  return iterates ? 'after' : 'joint';
}

/** How the weights that are kept are quantized. */
export function quantizationWords({ quantization, method }: Recipe, t: Label): string {
  if (quantization === null) return t('text.quantization-none');
  const { bits, groupSize, symmetric, actOrder, staticGroups, range, exceptions } = quantization;
  return [
    t('text.quantization.bits', { bits }),
    groupSize === null ? t('text.quantization.channel') : t('text.quantization.groups', { columns: groupSize }),
    t(symmetric ? 'text.quantization.symmetric' : 'text.quantization.asymmetric'),
    ...(actOrder ? [t('text.quantization.act-order')] : []),
    ...(staticGroups ? [t('text.quantization.static-groups')] : []),
    t(`text.quantization.${range}`),
    t(`text.quantization.${sweepOf(method)}`),
    ...exceptions.map(({ layers, bits: own }) =>
      own === null
        ? t('text.quantization.exception-none', { layers })
        : t('text.quantization.exception', { layers, bits: own }),
    ),
  ].join(t('text.comma'));
}

/** What the folder of a run is not: smaller, or faster. */
export function storageWords({ quantization }: Recipe, t: Label): string {
  return t(quantization === null ? 'text.storage' : 'text.storage-quantized');
}

export function corpusPaths(corpus: Corpus): readonly string[] {
  return corpus.kind === 'texts' ? corpus.paths : [corpus.path];
}

const { seed, ...machine } = machineFields;
const ownFields = { ...pruningFields, seed, ...machine };
/** The fields that have a line of their own. */
const reported = Object.entries<Field>(ownFields).filter(([, field]) => field.reported) as [
  keyof typeof ownFields,
  Field,
][];

/** The recipe in words, a heading and a text each. `path` says how a path is written; centroids: null while not known. */
export function recipeWords(
  {
    recipe,
    centroids,
    choice,
    estimate,
  }: Pick<Report, 'recipe' | 'choice' | 'estimate'> & { readonly centroids: readonly Centroid[] | null },
  t: Label,
  path: (path: string) => string,
): [string, string][] {
  const { calibration } = recipe;
  const scheduler =
    recipe.scheduler.kind === 'file' ? { ...recipe.scheduler, path: path(recipe.scheduler.path) } : recipe.scheduler;
  const data =
    calibration.corpus === null
      ? t('text.no-calibration')
      : t('text.calibration', {
          sequences: calibration.sequences,
          seqlen: calibration.seqlen ?? t('text.seqlen-default'),
          paths: corpusPaths(calibration.corpus)
            .map((each) => path(each))
            .join(', '),
        });
  return [
    [t('field.method'), methods[recipe.method].name],
    [t('field.pattern'), patternWords(recipe, t)],
    ...(recipe.fit === null ? [] : [[t('field.goal'), goalWords(recipe.fit, recipe, t)] as [string, string]]),
    [t('field.sparsity-target'), targetWords(recipe, t)],
    [t('field.scheduler'), schedulerWords(scheduler, { groups: centroids?.length ?? null, choice }, t)],
    ...(estimate === null ? [] : [[t('field.estimate'), estimateWords(estimate, t)] as [string, string]]),
    [t('field.targets'), targetsWords(recipe, choice, t)],
    [t('field.quantization'), quantizationWords(recipe, t)],
    [t('field.calibration'), data],
    ...reported.map(([name, { label }]): [string, string] => [t(label), String(recipe[name])]),
  ];
}

/** What the layers are to give. */
function targetsWords(recipe: Recipe, choice: Choice | null, t: Label): string {
  return t(`text.targets.${targetsOf(recipe, choice)}`, { share: recipe.denseShare });
}

/** What a recipe is to come to. */
export function goalWords(fit: Goal, { evaluation }: Pick<Recipe, 'evaluation'>, t: Label): string {
  return fit.kind === 'size'
    ? t('text.goal.size', { size: megabytes(fit.bytes) })
    : t('text.goal.perplexity', { perplexity: fit.perplexity, dataset: evaluation.datasets[0]?.name ?? '' });
}

function targetWords({ sparsity, fit }: Recipe, t: Label): string {
  if (sparsity !== null) return `${percent(sparsity, fit ? 2 : 1)} %`;
  return t(fit ? 'text.target-open' : 'text.no-target');
}

function estimateWords(estimate: string, t: Label): string {
  if (estimate === 'raw' || estimate === 'relative' || estimate === 'relative-by-type' || estimate === 'measured')
    return t(`text.estimate.${estimate}`);
  return estimate;
}

export function totalSeconds({ seconds }: Report): number {
  return Object.values(seconds).reduce((sum, stage) => sum + stage, 0);
}

/** The command that runs the report's recipe again, quoted for a POSIX shell. */
export function reproduceCommand({ recipe }: Report): string {
  return `tamis compress ${shellQuote(recipe.model)} --recipe recipe.json --out NEW_FOLDER`;
}

/** A word of a command line, quoted for a POSIX shell where it must be. */
export function shellQuote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
