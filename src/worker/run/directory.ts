import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import { eventSchema, type LoggedEvent, type RunEvent } from '../../contract/events.ts';
import { fileError } from '../../disk/file-errors.ts';
import { checked, parseJson } from '../../disk/json.ts';
import { recipeSchema, type Recipe } from '../../contract/recipe.ts';
import { reportSchema, type Report } from '../../contract/report.ts';
import { fromNative, native } from '../native.ts';
import { makeFolder, readJson, writeJson } from '../../disk/files.ts';

/** The folder of the scales of quantized layers, a .safetensors file a block. */
export const quantizationFolder = 'quantization';

/** What a kill leaves of files that were being written beside their names. */
const leftover = /\.(json|md|csv|html)\.\d+$|\.safetensors\.partial$/;
/** What it leaves in `state/` of work under way. */
const underWay =
  /^(estimate|sensitivity|evaluation|tap-\w+)\.f32$|^sensitivity\.safetensors$|^choose$|^packed(\.partial)?$/;

/**
 * A run's folder, which is also the folder of the model that comes out (docs/formats.md lists its files).
 * `recipe.json` and `events.jsonl` from the start; `state/` holds one small JSON for every finished step and the newest
 * activations; `quantization/` the scales of quantized layers; the model's shards, then `report.json` last of all. While it is open this process holds its lock.
 */
export class RunDirectory implements Disposable {
  readonly path: string;
  readonly #lock: { release(): void };
  /** Lines of events.jsonl. */
  #logged = 0;

  private constructor(path: string, lock: { release(): void }) {
    this.path = path;
    this.#lock = lock;
  }

  /** Makes the folder of a new run; it must be free (`isFree`). */
  static async create(path: string, recipe: Recipe): Promise<RunDirectory> {
    const folder = resolve(path);
    if (!isFree(folder)) throw new TamisError('run.exists', { path: folder });
    makeFolder(join(folder, 'state'));
    const directory = new RunDirectory(folder, acquireLock(folder));
    try {
      directory.#removeLeftovers();
      await writeJson(directory.file('recipe.json'), recipe);
      return directory;
    } catch (error) {
      directory[Symbol.dispose]();
      throw error;
    }
  }

  /** Opens the folder of a run that was begun. */
  static open(path: string): RunDirectory {
    const folder = resolve(path);
    if (!existsSync(join(folder, 'recipe.json')) || !existsSync(join(folder, 'state'))) {
      throw new TamisError('run.not-a-run', { path: folder });
    }
    const directory = new RunDirectory(folder, acquireLock(folder));
    try {
      directory.#removeLeftovers();
      directory.#logged = directory.#mendEvents();
      return directory;
    } catch (error) {
      directory[Symbol.dispose]();
      throw error;
    }
  }

  /** A folder in `state/` in the shape of a run's, for work that is thrown away: `remove` it. */
  within(name: string): RunDirectory {
    const folder = this.file('state', name);
    makeFolder(join(folder, 'state'));
    return new RunDirectory(folder, { release: () => undefined });
  }

  file(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  async recipe(): Promise<Recipe> {
    const recipe = await readJson(this.file('recipe.json'), recipeSchema);
    if (recipe === null) throw new TamisError('run.not-a-run', { path: this.path });
    return recipe;
  }

  /** What a finished step left in `state/`, or null. */
  async readStep<T>(name: string, schema: z.ZodType<T>): Promise<T | null> {
    return await readJson(this.file('state', `${name}.json`), schema);
  }

  async writeStep(name: string, value: unknown): Promise<void> {
    await writeJson(this.file('state', `${name}.json`), value);
  }

  /** Writes a line to the log and returns its number, from 1. */
  append(at: string, event: LoggedEvent): number {
    try {
      appendFileSync(this.file('events.jsonl'), `${JSON.stringify({ at, ...event })}\n`);
    } catch (error) {
      throw fileError(error, this.file('events.jsonl'));
    }
    return ++this.#logged;
  }

  /** The number of the log's last line; 0 where there is none. */
  get logged(): number {
    return this.#logged;
  }

  events(): RunEvent[] {
    return readEvents(this.file('events.jsonl'));
  }

  /** Drops a line that a kill cut short, so that every line in the file is a whole event, and counts the others. */
  #mendEvents(): number {
    const path = this.file('events.jsonl');
    if (!existsSync(path)) return 0;
    const bytes = readFileSync(path);
    const end = bytes.lastIndexOf(0x0a) + 1;
    if (end !== bytes.length) truncateSync(path, end);
    return bytes.toString('latin1').split('\n').length - 1;
  }

  #removeLeftovers(): void {
    const state = this.file('state');
    for (const folder of [this.path, state, this.file(quantizationFolder)]) {
      if (!existsSync(folder)) continue;
      for (const name of readdirSync(folder)) {
        if (leftover.test(name) || (folder === state && underWay.test(name)))
          rmSync(join(folder, name), { recursive: true });
      }
    }
  }

  remove(...parts: string[]): void {
    rmSync(this.file(...parts), { force: true, recursive: true });
  }

  [Symbol.dispose](): void {
    this.#lock.release();
  }
}

/** Whether a run may begin here: nothing is there, an empty folder, one with the application's `run.json` only, or one that a kill left before the run's recipe was written. */
export function isFree(folder: string): boolean {
  if (!existsSync(folder)) return true;
  const beforeTheRun = (name: string): boolean => name === 'state' || name === 'run.json' || leftover.test(name);
  return statSync(folder).isDirectory() && readdirSync(folder).every(beforeTheRun);
}

/** The events of a run, oldest first, without their times. */
export function readEvents(path: string): RunEvent[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => {
    const { at: _at, ...event } = parseJson(path, line, z.record(z.string(), z.unknown()));
    return checked(path, event, eventSchema);
  });
}

/** The report of a finished run, or of nothing: an error names what is missing. */
export async function readReport(path: string): Promise<Report> {
  const folder = resolve(path);
  const report = await readJson(join(folder, 'report.json'), reportSchema);
  if (report !== null) return report;
  throw new TamisError(existsSync(join(folder, 'recipe.json')) ? 'run.not-finished' : 'run.not-a-run', {
    path: folder,
  });
}

function acquireLock(folder: string): { release(): void } {
  try {
    return native.FileLock.acquire(join(folder, 'state', 'lock'));
  } catch (thrown) {
    const error = fromNative(thrown);
    throw error instanceof TamisError && error.code === 'run.locked'
      ? new TamisError('run.locked', { path: folder })
      : error;
  }
}
