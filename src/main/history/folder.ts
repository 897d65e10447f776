import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import { eventSchema, type TimedEvent } from '../../contract/events.ts';
import { keptFailureSchema, paramsSchema, type Failure } from '../../contract/failure.ts';
import { checked, parseJson } from '../../disk/json.ts';
import { recipeSchema, type Recipe } from '../../contract/recipe.ts';
import { reportSchema, type Report } from '../../contract/report.ts';
import { readJson, readText } from '../../disk/files.ts';
import { readCard, type EndState, type RunCard } from './card.ts';

/** A run as its folder tells it. */
export interface FoundRun {
  readonly path: string;
  readonly card: RunCard | null;
  readonly recipe: Recipe;
  readonly createdAt: string;
  readonly end: { readonly state: 'finished'; readonly report: Report } | Unfinished;
}

export interface Unfinished {
  readonly state: EndState;
  readonly failure: Failure | null;
  readonly at: string | null;
}

/** Whether the engine has begun the run: then it is resumed, else started. */
export function hasBegun(folder: string): boolean {
  return existsSync(join(folder, 'recipe.json'));
}

/** Reads a run's folder; null if it is none, an error naming the file if one in it is damaged. */
export async function readRunFolder(path: string): Promise<FoundRun | null> {
  const begun = await readJson(join(path, 'recipe.json'), recipeSchema);
  const card = begun ? await readCard(path).catch(() => null) : await readCard(path);
  const recipe = begun ?? card?.recipe;
  if (!recipe) return null;
  const report = await readReport(path);
  const [first, last] = report ? [] : await firstAndLast(path);
  return {
    path,
    card,
    recipe: report?.recipe ?? recipe,
    createdAt: card?.createdAt ?? first?.at ?? report?.startedAt ?? (await changedAt(join(path, 'recipe.json'))),
    end: report ? { state: 'finished', report } : endOf(card, last, begun === null),
  };
}

/** Nobody saw how it ended. */
export const lost: Unfinished = { state: 'lost', failure: { code: 'engine.lost-run', params: {} }, at: null };

/** The later of what the application and the engine told last; a run that neither ended was lost. */
function endOf(card: RunCard | null, last: LoggedLine | undefined, waiting: boolean): Unfinished {
  const ended = card?.ended ?? null;
  if (ended && ended.at >= (last?.at ?? '')) return ended;
  if (last?.type === 'failed') return failedAs(last);
  return waiting ? { state: 'paused', failure: null, at: null } : lost;
}

function failedAs({ at, code = '', params = {} }: LoggedLine): Unfinished {
  if (code === 'cancelled') return { state: 'cancelled', failure: null, at };
  return { state: 'failed', failure: keptFailureSchema.parse({ code, params }), at };
}

/** What matters here of an event, whichever version of Tamis told it. */
const loggedLineSchema = z.looseObject({
  at: z.string(),
  type: z.string(),
  code: z.string().optional(),
  params: paramsSchema.optional(),
});
type LoggedLine = z.infer<typeof loggedLineSchema>;

async function firstAndLast(folder: string): Promise<(LoggedLine | undefined)[]> {
  const path = join(folder, 'events.jsonl');
  const lines = wholeLines((await readText(path)) ?? '');
  return [lines[0], lines.at(-1)].map((line) => (line === undefined ? line : parseJson(path, line, loggedLineSchema)));
}

/** A last line that a kill cut short is left out. */
function wholeLines(text: string): string[] {
  return text.split('\n').slice(0, -1);
}

async function changedAt(path: string): Promise<string> {
  return (await stat(path)).mtime.toISOString();
}

/** The report of a run's folder; null if it is not finished. */
export async function readReport(folder: string): Promise<Report | null> {
  return await readJson(join(folder, 'report.json'), reportSchema);
}

/** All that a run has told and logged, oldest first; an event's number is that of its line. */
export async function readEvents(folder: string): Promise<TimedEvent[]> {
  const path = join(folder, 'events.jsonl');
  return wholeLines((await readText(path)) ?? '').map((line, index) => {
    const { at, ...event } = parseJson(path, line, z.looseObject({ at: z.string() }));
    return { seq: index + 1, at, event: checked(path, event, eventSchema) };
  });
}

/** A run's folder that was named by hand; an error if it is none. */
export async function requireRunFolder(path: string): Promise<FoundRun> {
  const found = await readRunFolder(path);
  if (found === null) throw new TamisError('run.not-a-run', { path });
  return found;
}
