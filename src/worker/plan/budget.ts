import { mebibytes } from '../../disk/files.ts';
import { TamisError } from '../../contract/errors.ts';
import type { Failure } from '../../contract/failure.ts';
import type { Holder } from '../../contract/plan.ts';
import type { Recipe } from '../../contract/recipe.ts';
import { sum } from '../model/costs.ts';
import { stageMemory, total, type Held } from './memory.ts';
import type { ModelShape } from '../model/shape.ts';
import { stagesOf, type Workload } from './workload.ts';

/** A run takes this share of what is free; the rest is for the pages of mapped weights and activations, and for other programs. */
const SHARE = 0.6;

/** Bytes of anonymous memory that a run may hold. */
export function memoryBudget({ memory }: Pick<Recipe, 'memory'>): number {
  return memory ?? Math.floor(SHARE * process.availableMemory());
}

/** Why a workload needs more than so many bytes: what needs them, where it holds most; null where it needs no more. */
export function refusalOf(shape: ModelShape, work: Workload, budget: number): Failure | null {
  const moments = stagesOf(work).map((stage) => ({ stage, ...stageMemory(shape, work, stage) }));
  const highest = moments.reduce((a, b) => (total(b.held) > total(a.held) ? b : a));
  const needed = total(highest.held);
  if (needed <= budget) return null;
  const { code, own } = causeOf(highest.held, budget);
  return {
    code,
    params: {
      ...(highest.layer !== null && { layer: highest.layer }),
      stage: highest.stage,
      own: mebibytes(sum(own.map((holder) => highest.held[holder] ?? 0))),
      needed: Math.ceil(needed / 2 ** 20),
      budget: Math.floor(budget / 2 ** 20),
    },
  };
}

/** @throws what `refusalOf` says */
export function assertWithinBudget(shape: ModelShape, work: Workload, budget: number): void {
  const refusal = refusalOf(shape, work, budget);
  if (refusal) throw new TamisError(refusal.code, refusal.params);
}

interface Cause {
  readonly code: Failure['code'];
  /** What it is about. */
  readonly own: readonly Holder[];
}

/** What is held whatever the model. */
const itself: Cause = { code: 'memory.process', own: ['process', 'tokens', 'garbage'] };

const causes: readonly Cause[] = [
  { code: 'memory.layer', own: ['grams', 'factors'] },
  { code: 'memory.weights', own: ['layer'] },
  { code: 'memory.block', own: ['block-weights', 'block-run'] },
  { code: 'memory.vocabulary', own: ['vocabulary', 'logits'] },
  { code: 'memory.text', own: ['text'] },
];

/** What holds most of the model's part, unless there is no room for any. */
function causeOf(held: Held, budget: number): Cause {
  const bytes = ({ own }: Cause): number => sum(own.map((holder) => held[holder] ?? 0));
  return bytes(itself) > budget ? itself : causes.reduce((a, b) => (bytes(b) > bytes(a) ? b : a));
}
