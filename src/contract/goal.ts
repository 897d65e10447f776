import type { Failure } from './failure.ts';
import { megabytes, percent, perplexity } from './format.ts';
import { firstOf, valueOf, type DatasetResult } from './measured.ts';
import type { ErrorCode } from './messages/en.ts';
import { layerBits } from './quantization.ts';
import { bitWidths } from './recipe/fields.ts';
import type { Bits, Goal, Recipe } from './recipe.ts';
import type { Report } from './report.ts';
import { archiveEstimate, compressedModel, type PackedModel } from './size.ts';

/** So many compressions, and no more. */
export const MOST_ATTEMPTS = 4;
/** The least and the largest target that is tried. */
export const targets = { least: 0.05, most: 0.95 } as const;
/** How far from the goal a result may be, as a share of it; a size may only be under it. */
const TOLERANCE = 0.01;

/** A compression that is finished. */
export interface Attempt {
  /** Its target. */
  readonly sparsity: number;
  /** Bits of its recipe; null without quantization. */
  readonly bits: Bits | null;
  /** Bytes of the packed archive, or perplexity. */
  readonly value: number;
}

/** How sparsity and value hang together, as far as it is known before they are measured. */
export interface Relation {
  /** A measure of the value that rises with the sparsity, and against `expected` nearly in a straight line. */
  readonly measure: (value: number) => number;
  /** The measure that is expected at a sparsity; its level does not matter but for the first attempt. Rises. */
  readonly expected: (sparsity: number) => number;
}

/** What to try: a target, and the bits of the weights that are kept. */
export type Trial = Omit<Attempt, 'value'>;

export type Verdict =
  | ({ readonly kind: 'next' } & Trial)
  /** `attempt`: its place in the list. */
  | { readonly kind: 'reached'; readonly attempt: number }
  | { readonly kind: 'unreachable'; readonly failure: Failure };

/**
 * What is to be done after so many attempts, oldest first.
 * @param relationAt with such bits
 */
export function judge(goal: Goal, relationAt: (bits: Bits | null) => Relation, attempts: readonly Attempt[]): Verdict {
  const last = attempts.at(-1);
  if (last === undefined) throw new RangeError('no attempt');
  const attempt = attempts.findIndex(({ value }) => reaches(goal, value));
  if (attempt !== -1) return { kind: 'reached', attempt };
  const { bits } = last;
  const relation = relationAt(bits);
  const alike = attempts.filter((each) => each.bits === bits);
  const sparsity = nextSparsity(goal, relation, alike);
  const left = attempts.length < MOST_ATTEMPTS;
  if (goal.kind === 'size' && left && sparsity > TOO_SPARSE) {
    const fewer = fewerBits(goal, relationAt, bits, relation.measure(last.value) - relation.expected(last.sparsity));
    if (fewer) return { kind: 'next', ...fewer };
  }
  const known = alike.find((each) => Math.abs(each.sparsity - sparsity) < SAME);
  if (known && (known.sparsity === targets.least || known.sparsity === targets.most))
    return { kind: 'unreachable', failure: beyond(goal, known) };
  if (known || !left) return { kind: 'unreachable', failure: missed(goal, attempts) };
  return { kind: 'next', sparsity, bits };
}

/** The same of finished runs that belong together, oldest first. */
export function judgeReports(goal: Goal, reports: readonly Report[]): Verdict {
  const [first] = reports;
  if (!first) throw new RangeError('no attempt');
  return judge(goal, relationsOf(goal, first), reports.map(attemptOf));
}

/** A finished run that had the goal. */
export function attemptOf(report: Report): Attempt {
  const { fit: goal, sparsity, quantization } = report.recipe;
  const value = goal?.kind === 'size' ? report.packedBytes : firstOf(report.measured, 'perplexity')?.compressed.value;
  return { sparsity: sparsity ?? report.sparsity.target, bits: quantization?.bits ?? null, value: value ?? NaN };
}

/** A recipe with what is to be tried in place of its own. */
export function withTrial(recipe: Recipe, { sparsity, bits }: Trial): Recipe {
  const { quantization } = recipe;
  return { ...recipe, sparsity, quantization: quantization && bits ? { ...quantization, bits } : quantization };
}

/** Why a perplexity is out of reach whatever is pruned; null if it is not. */
export function denseRefusal(goal: Goal | null, [dense]: readonly DatasetResult[]): Failure | null {
  const value = dense && valueOf(dense, 'perplexity');
  if (goal?.kind !== 'perplexity' || value === undefined || value < goal.perplexity) return null;
  const params = { goal: goal.perplexity, dense: perplexity(value), dataset: dense?.dataset ?? '' };
  return { code: 'fit.dense-above', params };
}

/** Targets nearer to each other than this give the same model, or nearly. */
const SAME = 1e-5;

/** Whether a result is near enough to the goal. */
export function reaches(goal: Goal, value: number): boolean {
  return goal.kind === 'size'
    ? value <= goal.bytes && value >= (1 - TOLERANCE) * goal.bytes
    : Math.abs(value / goal.perplexity - 1) <= TOLERANCE;
}

/** What is aimed at: of a size the middle of what reaches it. */
function aim(goal: Goal): number {
  return goal.kind === 'size' ? (1 - TOLERANCE / 2) * goal.bytes : goal.perplexity;
}

/**
 * Where the goal is to be expected: with one attempt, the expected line shifted through it; with more, the straight line through the
 * two that are nearest to it on one side; where two enclose it, the straight line through them, or of a perplexity the parabola through
 * them and the nearest third.
 */
export function nextSparsity(
  goal: Goal,
  { measure, expected }: Relation,
  attempts: readonly Omit<Attempt, 'bits'>[],
): number {
  const aimed = measure(aim(goal));
  const points = attempts
    .map(({ sparsity, value }) => ({ x: expected(sparsity), y: measure(value) - aimed }))
    .sort((a, b) => a.x - b.x);
  const above = points.findIndex(({ y }) => y > 0);
  if (above > 0) return sparsityOf(expected, enclosed(goal, points, above));
  const [one, other] = above === 0 ? points : points.toReversed();
  if (one === undefined) return sparsityOf(expected, aimed);
  const slope = other === undefined ? 1 : slopeOf(one, other);
  return sparsityOf(expected, one.x - one.y / (slope > 0 ? slope : 1));
}

interface Point {
  readonly x: number;
  /** From the goal. */
  readonly y: number;
}

function slopeOf(one: Point, other: Point): number {
  return (other.y - one.y) / (other.x - one.x);
}

/** The zero between two neighbours, of which `above` is the first point above 0. */
function enclosed({ kind }: Goal, points: readonly Point[], above: number): number {
  const [low, high] = points.slice(above - 1, above + 1);
  if (!low || !high) throw new RangeError('nothing encloses the goal');
  const slope = slopeOf(low, high);
  // Sizes are straight against what is expected, but not at the lowest sparsities, where a mask costs what it saves.
  const others = kind === 'size' ? [] : points.filter((each) => each !== low && each !== high);
  const [third] = others.sort((a, b) => Math.abs(a.y) - Math.abs(b.y));
  const bend = third ? (slopeOf(high, third) - slope) / (third.x - low.x) : 0;
  const at = (x: number): number => low.y + (x - low.x) * (slope + bend * (x - high.x));
  let [from, to] = [low.x, high.x];
  for (let middle = (from + to) / 2; middle > from && middle < to; middle = (from + to) / 2) {
    if (at(middle) < 0) from = middle;
    else to = middle;
  }
  return to;
}

/** The sparsity at which `rising` comes to a level, within `targets`. To five decimals: it is written in recipes and file names. */
export function sparsityOf(rising: (sparsity: number) => number, level: number): number {
  let [low, high] = [targets.least, targets.most] as [number, number];
  if (rising(low) >= level) return low;
  if (rising(high) <= level) return high;
  while (high - low > SAME / 100) {
    const middle = (low + high) / 2;
    if (rising(middle) < level) low = middle;
    else high = middle;
  }
  return Number(((low + high) / 2).toFixed(5));
}

/**
 * The logarithm of ln(perplexity / dense) rises in a straight line with the sparsity, by about this much over 100 points: 6.3 was
 * measured on SmolLM2-135M and 10 on the demo model.
 */
export const PERPLEXITY_SLOPE = 8;
/** An excess below this is taken for it: rounding may make a model better than the dense one. */
const LEAST_EXCESS = 1e-4;

function relationsOf(goal: Goal, report: Report): (bits: Bits | null) => Relation {
  if (goal.kind === 'perplexity')
    return () => perplexityRelation(firstOf(report.measured, 'perplexity')?.dense.value ?? NaN);
  const model = compressedModel(report);
  if (model === null) throw new RangeError(`no size of ${report.model.dtype}`);
  return (bits) => {
    const quantization = model.quantization && bits ? { ...model.quantization, bits } : null;
    const layers = report.layers.map((layer) => ({ ...layer, bits: layerBits(quantization, layer.name) }));
    return sizeRelation({ ...model, layers, quantization }, report.model.dtype);
  };
}

/** @param dense perplexity of the dense model */
export function perplexityRelation(dense: number): Relation {
  return {
    measure: (value) => Math.log(Math.max(LEAST_EXCESS, Math.log(value / dense))),
    expected: (sparsity) => PERPLEXITY_SLOPE * sparsity,
  };
}

/** @param model its layers' own sparsities do not matter */
export function sizeRelation(model: PackedModel, dtype: string): Relation {
  return {
    measure: (value) => -Math.log(value),
    expected: (sparsity) => {
      const layers = model.layers.map((layer) => ({ ...layer, sparsity }));
      return -Math.log(archiveEstimate({ ...model, layers }, dtype));
    },
  };
}

/** Bits are taken away only where more than this would have to be pruned with them … */
const TOO_SPARSE = 0.9;
/** … and so many that no more than this has to be. */
const SPARSE_ENOUGH = 0.8;
/** Archives have come out smaller than foreseen by no more than this: nothing smaller is hoped for, before one is measured. */
const HOPE = 0.75;

/**
 * Where the search for a size begins. The recipe's bits are kept unless even an archive as small as can be hoped for would need more
 * than 90 % pruned; then they are the most below them with which it needs at most 80 %, or else the fewest. Exceptions keep theirs.
 * @param bits of the recipe; null without quantization
 */
export function beginSize(goal: Goal, relationAt: (bits: Bits | null) => Relation, bits: Bits | null): Trial {
  const hope = -Math.log(HOPE);
  const begun = (tried: Bits | null): Trial => ({ sparsity: nextSparsity(goal, relationAt(tried), []), bits: tried });
  const [own, fewer] = [begun(bits), fewerBits(goal, relationAt, bits, hope)];
  if (fewer === null) return own;
  if (hopedFor(goal, relationAt(bits), hope) > TOO_SPARSE) return begun(fewer.bits);
  return { bits, sparsity: Math.min(own.sparsity, TOO_SPARSE) };
}

/** The sparsity at which the goal is reached where all comes out by `shift` off what is expected. */
function hopedFor(goal: Goal, { measure, expected }: Relation, shift: number): number {
  return sparsityOf((sparsity) => expected(sparsity) + shift, measure(aim(goal)));
}

/** Null where there are no fewer bits. */
function fewerBits(
  goal: Goal,
  relationAt: (bits: Bits | null) => Relation,
  bits: Bits | null,
  shift: number,
): Trial | null {
  const fewer = bitWidths
    .filter((width) => bits !== null && width < bits)
    .map((width): Trial => ({ bits: width, sparsity: hopedFor(goal, relationAt(width), shift) }));
  return fewer.findLast(({ sparsity }) => sparsity <= SPARSE_ENOUGH) ?? fewer[0] ?? null;
}

/** Even the end of what is tried does not reach the goal. */
function beyond(goal: Goal, attempt: Attempt): Failure {
  const isSparsest = attempt.sparsity === targets.most;
  const code: ErrorCode =
    goal.kind === 'size'
      ? isSparsest
        ? 'fit.size-above'
        : 'fit.size-below'
      : isSparsest
        ? 'fit.perplexity-below'
        : 'fit.perplexity-above';
  return { code, params: { ...valuesOf(goal, attempt.value), sparsity: percent(attempt.sparsity, 0) } };
}

function missed(goal: Goal, attempts: readonly Attempt[]): Failure {
  const offOf = ({ value }: Attempt): number => Math.abs(value / goalValue(goal) - 1);
  const nearest = attempts.reduce((a, b) => (offOf(b) < offOf(a) ? b : a));
  const { goal: wanted, value } = valuesOf(goal, nearest.value);
  const unit = goal.kind === 'size' ? ' MB' : '';
  return {
    code: 'fit.attempts',
    params: {
      goal: `${wanted}${unit}`,
      value: `${value}${unit}`,
      attempts: attempts.length,
      sparsity: percent(nearest.sparsity, 2),
      off: percent(offOf(nearest), 1),
    },
  };
}

export function goalValue(goal: Goal): number {
  return goal.kind === 'size' ? goal.bytes : goal.perplexity;
}

/** How far a result is from the goal: `+1.38 %`. */
export function fromGoal(goal: Goal, value: number): string {
  const off = value / goalValue(goal) - 1;
  return `${off > 0 ? '+' : ''}${percent(off, 2)} %`;
}

/** Sizes in 10⁶ bytes, as they are given. */
function valuesOf(goal: Goal, value: number): { goal: string; value: string } {
  const write = goal.kind === 'size' ? megabytes : perplexity;
  return { goal: write(goalValue(goal)), value: write(value) };
}
