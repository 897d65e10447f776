import type { Failure } from '../../contract/failure.ts';
import { attemptOf, reaches, judgeReports, withTrial } from '../../contract/goal.ts';
import type { AttemptRow, RunRow } from '../../contract/history.ts';
import type { Recipe } from '../../contract/recipe.ts';
import type { Report } from '../../contract/report.ts';
import { readReport } from './folder.ts';
import type { Store } from './store.ts';

/** What follows a finished attempt at a goal. */
export type Following =
  /** `name`: of the first attempt, with the number of the next. */
  | { readonly kind: 'attempt'; readonly name: string; readonly recipe: Recipe }
  | { readonly kind: 'unreachable'; readonly failure: Failure };

/** A run of a search, finished where its folder has a report, whatever the database knows of it yet. */
interface Attempted {
  readonly row: RunRow;
  readonly recipe: Recipe;
  readonly report: Report | null;
}

/** What is to be done after a run that has a report: null where it has no goal or reached it, or another attempt has no report yet. */
export async function followingAttempt(store: Store, id: string): Promise<Following | null> {
  const attempts = await attemptsAt(store, id);
  const reports = attempts.flatMap(({ report }) => report ?? []);
  const [first] = attempts;
  const last = attempts.at(-1);
  if (!first || !last?.recipe.fit || reports.length < attempts.length) return null;
  const verdict = judgeReports(last.recipe.fit, reports);
  if (verdict.kind === 'reached') return null;
  if (verdict.kind === 'unreachable') return verdict;
  const name = `${first.row.name} · ${attempts.length + 1}`;
  return { kind: 'attempt', name, recipe: withTrial(last.recipe, verdict) };
}

/** The attempts at a run's goal as they are listed; none without a goal. */
export async function listAttempts(store: Store, id: string): Promise<AttemptRow[]> {
  const attempts = await attemptsAt(store, id);
  return attempts.map(({ row: { id: own, name, state }, recipe, report }) => {
    const { fit, sparsity, quantization } = recipe;
    const value = report && attemptOf(report).value;
    const isReached = fit !== null && value !== null && reaches(fit, value);
    // A run that has its target to decide chooses among bits as well.
    const bits = fit?.kind === 'size' && sparsity === null ? null : (quantization?.bits ?? null);
    return { id: own, name, state, sparsity, bits, value, fits: isReached };
  });
}

/** Runs of a sweep whose recipes differ in target and bits alone, oldest first. */
async function attemptsAt(store: Store, id: string): Promise<Attempted[]> {
  const { sweep } = store.get(id);
  if (sweep === null || store.recipe(id).fit === null) return [];
  const runs = await Promise.all(
    store.sweep(sweep).map(async (row): Promise<Attempted> => {
      const report = await readReport(row.path).catch(() => null);
      return { row, recipe: report?.recipe ?? store.recipe(row.id), report };
    }),
  );
  const series = seriesOf(runs.find(({ row }) => row.id === id)?.recipe);
  return runs.filter(({ recipe }) => seriesOf(recipe) === series);
}

function seriesOf(recipe: Recipe | undefined): string {
  const quantization = recipe?.quantization && { ...recipe.quantization, bits: null };
  return JSON.stringify({ ...recipe, sparsity: null, quantization });
}
