import { existsSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { readJson } from '../disk/files.ts';
import { TamisError } from '../contract/errors.ts';
import { errorOf } from '../contract/failure.ts';
import { attemptOf, fromGoal, judgeReports, MOST_ATTEMPTS, withTrial } from '../contract/goal.ts';
import { megabytes, percent, perplexity } from '../contract/format.ts';
import { firstOf } from '../contract/measured.ts';
import { message } from '../contract/messages/index.ts';
import { recipeSchema, type Goal, type Recipe } from '../contract/recipe.ts';
import { reportSchema, type Report } from '../contract/report.ts';
import { compress, resume } from '../worker/engine.ts';
import { openModel } from '../worker/model/open.ts';
import { resolveRecipe } from '../worker/plan/resolve.ts';
import { isFree } from '../worker/run/directory.ts';
import { locale, type Acting } from './act.ts';
import { table } from './table.ts';

/**
 * Compresses until the goal is reached, by at most four attempts in `OUT.1`, `OUT.2` …; the one that reaches it is renamed to `OUT`, the
 * others stay. Attempts that an earlier start of the same command left are taken as they are, an unfinished one is gone on with.
 *
 * Errors: run.exists, cancelled.fit, fit.*, and those of a run.
 */
export async function compressToGoal(recipe: Recipe, fit: Goal, to: string, acting: Acting): Promise<Report> {
  const out = resolve(to);
  if (existsSync(out)) throw new TamisError('run.exists', { path: out });
  const first = await resolveRecipe(recipe, await openModel(recipe.model), (code, params) =>
    tell(message(code, params, locale())),
  );
  const reports: Report[] = [];
  let next = first;
  for (;;) {
    const folder = folderOf(out, reports.length);
    tell(`Attempt ${reports.length + 1} of at most ${MOST_ATTEMPTS}, ${targetText(next)}: ${folder}`);
    const report = await attempt(next, folder, acting).catch((error: unknown) => {
      // What resumes the attempt alone would leave the search where it is.
      const hasBegun = reports.length > 0 || !isFree(folder);
      throw acting.signal.aborted && hasBegun ? new TamisError('cancelled.fit') : error;
    });
    reports.push(report);
    tell(`Attempt ${reports.length}: ${foundText(fit, report)}`);
    const verdict = judgeReports(fit, reports);
    if (verdict.kind === 'next') {
      next = withTrial(first, verdict);
      continue;
    }
    tell(attemptsTable(fit, reports, out));
    if (verdict.kind === 'unreachable') throw errorOf(verdict.failure);
    renameSync(folderOf(out, verdict.attempt), out);
    return reports[verdict.attempt] ?? report;
  }
}

function folderOf(out: string, attempt: number): string {
  return `${out}.${attempt + 1}`;
}

async function attempt(recipe: Recipe, folder: string, acting: Acting): Promise<Report> {
  if (isFree(folder)) return await compress(recipe, folder, acting);
  const found = await readJson(join(folder, 'recipe.json'), recipeSchema);
  if (found === null || !isSame(found, recipe)) throw new TamisError('fit.other-attempt', { path: folder });
  const report = await readJson(join(folder, 'report.json'), reportSchema);
  return report ?? (await resume(folder, { ...acting, memory: recipe.memory ?? undefined }));
}

/** Whether two recipes give the same bits. */
function isSame(one: Recipe, other: Recipe): boolean {
  const [a, b] = [one, other].map((recipe) => JSON.stringify(recipeSchema.parse({ ...recipe, memory: null })));
  return a === b;
}

function targetText({ fit, sparsity, quantization }: Recipe): string {
  if (sparsity === null)
    return fit?.kind === 'size' ? 'sparsity and bits by the sensitivities' : 'sparsity by the sensitivities';
  const target = `sparsity ${percent(sparsity, 2)} %`;
  return quantization === null ? target : `${target}, ${quantization.bits} bits`;
}

function foundText(fit: Goal, report: Report): string {
  const { sparsity, value } = attemptOf(report);
  const found = fit.kind === 'size' ? `packed ${megabytes(value)} MB` : `perplexity ${perplexity(value)}`;
  return `sparsity ${percent(sparsity, 2)} %, ${found}, ${fromGoal(fit, value)} from the goal`;
}

function attemptsTable(fit: Goal, reports: readonly Report[], out: string): string {
  const measured = (reports[0]?.measured.length ?? 0) > 0;
  const rows = reports.map((report, index) => {
    const { sparsity, value } = attemptOf(report);
    return [
      folderOf(out, index),
      `${percent(sparsity, 2)} %`,
      report.recipe.quantization === null ? '' : String(report.recipe.quantization.bits),
      report.packedBytes === null ? '' : `${megabytes(report.packedBytes)} MB`,
      ...(measured ? [perplexity(firstOf(report.measured, 'perplexity')?.compressed.value ?? NaN)] : []),
      fromGoal(fit, value),
    ];
  });
  const heading = measured ? ['perplexity'] : [];
  return table(['Attempt', 'sparsity', 'bits', 'packed', ...heading, 'from the goal'], rows);
}

function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}
