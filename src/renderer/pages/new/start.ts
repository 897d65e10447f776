import type { Trial } from '../../../contract/bridge.ts';
import { describe } from '../../../contract/describe.ts';
import { megabytes } from '../../../contract/format.ts';
import { message } from '../../../contract/messages/index.ts';
import type { Plan } from '../../../contract/plan.ts';
import type { RecipeInput } from '../../../contract/recipe.ts';
import { useLabel, useLocale } from '../../words.tsx';
import { percentOf } from './draft.ts';
import { labelOf } from './labels.ts';
import type { FieldError, FieldErrors } from './recipes.ts';
import type { Planned } from './use-plan.ts';

/** Why the run cannot be started, in words; null = it can, also while it is still being planned. */
export function useReason(
  errors: FieldErrors,
  { plan, isCurrent, error }: Planned,
  trial: Trial | null,
): string | null {
  const t = useLabel();
  const locale = useLocale();
  const wrong = entriesOf(errors).map(([name, { key, params }]) =>
    t('plan.reason-field', { field: t(labelOf(name)), error: t(key, params) }),
  );
  if (wrong.length > 0) return wrong.join(' ');
  if (error) return describe(error, locale);
  if (plan === null || !isCurrent) return null;
  if (plan.refusal) return message(plan.refusal.code, plan.refusal.params, locale);
  const sentences = [
    ...(fitsMemory(plan, trial)
      ? []
      : [
          message(
            'plan.memory',
            { ...inMebibytes(peakOf(plan, trial), plan.memory.freeBytes), stage: t(`stage.${plan.memory.stage}`) },
            locale,
          ),
        ]),
    ...(fitsDisk(plan) ? [] : [t('plan.too-large', inMebibytes(plan.disk.totalBytes, plan.disk.freeBytes ?? 0))]),
  ];
  return sentences.length === 0 ? null : sentences.join(' ');
}

function entriesOf(errors: FieldErrors): [keyof FieldErrors, FieldError][] {
  return Object.entries(errors) as [keyof FieldErrors, FieldError][];
}

/** Bytes; as measured where two blocks were tried. */
export function peakOf({ memory }: Plan, trial: Trial | null): number {
  return trial?.peakMemoryBytes ?? memory.peakBytes;
}

export function fitsMemory(plan: Plan, trial: Trial | null): boolean {
  return peakOf(plan, trial) <= plan.memory.freeBytes && plan.refusal === null;
}

export function fitsDisk({ disk }: Plan): boolean {
  return disk.freeBytes === null || disk.totalBytes <= disk.freeBytes;
}

function inMebibytes(needed: number, free: number): { needed: number; free: number } {
  return { needed: Math.ceil(needed / 2 ** 20), free: Math.floor(free / 2 ** 20) };
}

/** What sets a run apart from the others of a sweep: `kmeans 70 %`. */
export function nameOfRecipe({ scheduler, sparsity, nm, fit }: RecipeInput): string {
  if (nm) return `${nm.n}:${nm.m}`;
  if (fit) return `${scheduler?.kind ?? ''} ${fit.kind === 'size' ? `${megabytes(fit.bytes)} MB` : fit.perplexity}`;
  const target = sparsity === undefined || sparsity === null ? '' : ` ${percentOf(sparsity)} %`;
  return `${scheduler?.kind ?? ''}${target}`;
}
