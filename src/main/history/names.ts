import { basename } from 'node:path';

import type { Recipe } from '../../contract/recipe.ts';

/** Characters of a name. */
export const LONGEST = 200;

/** A run's name: as typed, with what sets it apart from the others queued with it; or else its model, method, target and bits. */
export function nameOf(typed: string, recipe: Recipe, queuedTogether: number): string {
  const name = typed.trim();
  if (name === '') return joined(basename(recipe.model), recipe.method, ...setting(recipe));
  return queuedTogether === 1 ? name : joined(name, ...setting(recipe));
}

function setting({ nm, scheduler, sparsity, quantization }: Recipe): string[] {
  const bits = quantization ? [`${quantization.bits} bit`] : [];
  if (nm) return [`${nm.n}:${nm.m}`, ...bits];
  const target = sparsity === null ? [] : [`${Number((sparsity * 100).toFixed(2))} %`];
  return [scheduler.kind, ...target, ...bits];
}

function joined(...parts: string[]): string {
  return parts.join(' · ').slice(0, LONGEST);
}

/** The run's folder, told from others of the same name by the beginning of its id: `opt-125m-kmeans-70-3f9a2b1c`. */
export function folderName(name: string, id: string): string {
  const plain = name
    .normalize('NFC')
    .replace(/[^\p{L}\p{N}._]+/gu, '-')
    .slice(0, 60)
    .replace(/^[-.]+|[-.]+$/g, '');
  return plain === '' ? id.slice(0, 8) : `${plain}-${id.slice(0, 8)}`;
}
