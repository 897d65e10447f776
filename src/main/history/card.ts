import { join } from 'node:path';

import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import { keptFailureSchema } from '../../contract/failure.ts';
import { recipeSchema } from '../../contract/recipe.ts';
import { readJson, writeJson } from '../../disk/files.ts';

/** States that a run was left in on purpose or by its end; a finished run has its report instead. */
export const endStates = ['paused', 'failed', 'cancelled', 'killed', 'out-of-memory', 'lost'] as const;
export type EndState = (typeof endStates)[number];

/**
 * `run.json`: what the application knows of a run and the engine does not, so that the history can be rebuilt from the
 * folders. Fields of a newer version are dropped.
 */
export const runCardSchema = z.object({
  version: z.literal(1),
  id: z.string().regex(/^[\w-]{1,100}$/),
  name: z.string(),
  notes: z.string(),
  tags: z.array(z.string()),
  sweep: z.string().nullable(),
  /** ISO 8601. */
  createdAt: z.iso.datetime(),
  /** As it was asked for: `recipe.json` appears when the run begins. */
  recipe: recipeSchema,
  /** How it ended, unless it is finished, queued or running. */
  ended: z.object({ state: z.enum(endStates), failure: keptFailureSchema.nullable(), at: z.iso.datetime() }).nullable(),
});
export type RunCard = z.infer<typeof runCardSchema>;

const fileOf = (folder: string): string => join(folder, 'run.json');

/** The card of a run's folder; null if there is none, an error naming the field if it is damaged. */
export async function readCard(folder: string): Promise<RunCard | null> {
  return await readJson(fileOf(folder), runCardSchema);
}

/** Writes the card. Whether it worked: a folder that is gone or read-only keeps what it says, and the database has it too. */
export async function writeCard(folder: string, card: RunCard): Promise<boolean> {
  try {
    await writeAgain(fileOf(folder), card);
    return true;
  } catch (error) {
    if (error instanceof TamisError) return false;
    throw error;
  }
}

/** An engine that begins removes what looks like the leftover of a kill, this file before its renaming too: once more then. */
async function writeAgain(path: string, card: RunCard): Promise<void> {
  try {
    await writeJson(path, card);
  } catch {
    await writeJson(path, card);
  }
}
