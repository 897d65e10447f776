import type { Failure } from '../../contract/failure.ts';
import { judgeReports, withTrial } from '../../contract/fit.ts';
import type { Recipe } from '../../contract/recipe.ts';
import { readReport } from './folder.ts';
import type { Store } from './store.ts';

/** What follows a finished attempt at a goal. */
export type Following =
  /** `name`: of the first attempt, with the number of the next. */
  | { readonly kind: 'attempt'; readonly name: string; readonly recipe: Recipe }
  | { readonly kind: 'unreachable'; readonly failure: Failure };

/**
 * What is to be done after a finished run: null where it has no goal, reached it, or another attempt is not finished yet. The
 * attempts at a goal are the runs of a sweep whose recipes differ in target and bits alone.
 */
export async function followingAttempt(store: Store, id: string): Promise<Following | null> {
  const { sweep } = store.get(id);
  const recipe = store.recipe(id);
  if (recipe.fit === null || sweep === null) return null;
  const rows = store.sweep(sweep).filter((row) => seriesOf(store.recipe(row.id)) === seriesOf(recipe));
  const reports = await Promise.all(rows.map(({ path }) => readReport(path).catch(() => null)));
  const finished = reports.filter((report) => report !== null);
  if (finished.length < rows.length || rows.some(({ state }) => state !== 'finished')) return null;
  const verdict = judgeReports(recipe.fit, finished);
  if (verdict.kind === 'fits') return null;
  if (verdict.kind === 'unreachable') return verdict;
  const name = `${rows[0]?.name ?? ''} · ${rows.length + 1}`;
  return { kind: 'attempt', name, recipe: withTrial(recipe, verdict) };
}

function seriesOf(recipe: Recipe): string {
  const { quantization } = recipe;
  return JSON.stringify({ ...recipe, sparsity: null, quantization: quantization && { ...quantization, bits: null } });
}
