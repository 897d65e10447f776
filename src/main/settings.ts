import { renameSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { z } from 'zod';

import type { Notice } from '../contract/bridge.ts';
import { TamisError } from '../contract/errors.ts';
import { fileError } from '../disk/file-errors.ts';
import { settingsSchema, type Settings } from '../contract/settings.ts';
import { readJson, writeJson } from '../disk/files.ts';
import { timeInName } from './time-in-name.ts';

type Stored = Readonly<Record<string, unknown>>;
const storedSchema = z.record(z.string(), z.unknown());

/** What the person set, in `settings.json`. What a newer Tamis set and this one does not know is kept there. */
export class SettingsFile {
  readonly #path: string;
  #stored: Stored;
  #settings: Settings;
  #written: Promise<void> = Promise.resolve();

  private constructor(path: string, stored: Stored) {
    this.#path = path;
    this.#stored = stored;
    this.#settings = known(stored);
  }

  /** Defaults where there is no file; a damaged one is moved aside, and the notice says so. */
  static async open(path: string): Promise<{ file: SettingsFile; notices: Omit<Notice, 'id'>[] }> {
    try {
      return { file: new SettingsFile(path, (await readJson(path, storedSchema)) ?? {}), notices: [] };
    } catch (error) {
      if (!(error instanceof TamisError) || !isDamage(error)) throw error;
    }
    const aside = join(dirname(path), `settings.damaged-${timeInName(new Date())}.json`);
    try {
      renameSync(path, aside);
    } catch (error) {
      throw fileError(error, path);
    }
    const notice = { kind: 'warning', code: 'settings.damaged', params: { path, aside } } as const;
    return { file: new SettingsFile(path, {}), notices: [notice] };
  }

  get value(): Settings {
    return this.#settings;
  }

  /** Sets some of them; when it returns they are on the disk. */
  async set(changes: Partial<Settings>): Promise<Settings> {
    const written = this.#written.then(() => this.#write({ ...this.#stored, ...changes }));
    this.#written = written.catch(() => undefined);
    await written;
    return this.#settings;
  }

  async #write(stored: Stored): Promise<void> {
    await writeJson(this.#path, stored);
    this.#stored = stored;
    this.#settings = known(stored);
  }
}

function isDamage({ code }: TamisError): boolean {
  return code === 'file.not-json' || code === 'file.wrong-shape';
}

/** The settings in a file; a value that this version does not know is as if it were not set. */
function known(stored: Stored): Settings {
  const { shape } = settingsSchema;
  const valid = Object.entries(shape).flatMap(([key, schema]) => {
    const parsed = schema.safeParse(stored[key]);
    return parsed.success ? [[key, parsed.data]] : [];
  });
  return settingsSchema.parse(Object.fromEntries(valid));
}
