import { randomUUID } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { basename, resolve } from 'node:path';

import { TamisError } from '../../contract/errors.ts';
import { failureOf, keptFailureSchema } from '../../contract/failure.ts';
import { modelHeadSchema, type Model, type ModelHead } from '../../contract/library.ts';
import type { ModelRecord } from '../history/statements.ts';
import type { Store } from '../history/store.ts';
import { fingerprintOf, modelFolders } from './folder.ts';
import { FolderWatch } from './watch.ts';

/** The id of the model that comes with Tamis, wherever this installation has it. */
export const DEMO = 'demo';

export interface LibraryContext {
  readonly store: Store;
  /** Folder of the demo model. */
  readonly demo: string;
  /** Reads a checkpoint's head, in another process; what is wrong with it is thrown. */
  readonly inspect: (path: string) => Promise<ModelHead>;
  /** The list or a model in it is another than before. */
  readonly changed: () => void;
}

/**
 * The list of models. What is known of one is kept with a fingerprint of its folder and shown at once at the next
 * start; a folder that looks otherwise is read again. No file of a model is ever written or removed.
 */
export class Library {
  readonly #context: LibraryContext;
  readonly #watches = new Map<string, FolderWatch>();
  /** Models whose folder is not there. */
  readonly #missing = new Set<string>();
  /** One model is read at a time. */
  #reading: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(context: LibraryContext) {
    this.#context = context;
  }

  /** Puts the demo model in and begins to watch all folders. */
  open(): void {
    this.#putDemo();
    for (const { id } of this.#records()) this.#watch(id);
  }

  #putDemo(): void {
    const { store, demo } = this.#context;
    // Added by hand, when another installation had its own.
    for (const { id, path } of this.#records()) if (path === demo && id !== DEMO) store.deleteModel(id);
    const known = this.#records().find(({ id }) => id === DEMO);
    if (!known) store.insertModel(unread(DEMO, demo));
    else if (known.path !== demo) store.updateModel({ ...known, path: demo });
  }

  close(): void {
    this.#closed = true;
    for (const watch of this.#watches.values()) watch.close();
  }

  /** The demo model first, then in the order in which they were added. */
  list(): Model[] {
    const models = this.#records().map((record) => this.#modelOf(record));
    return [...models.filter(({ demo }) => demo), ...models.filter(({ demo }) => !demo)];
  }

  get(id: string): Model {
    return this.#modelOf(this.#record(id));
  }

  /** Adds folders, or the checkpoints one level down in them. Those that are in the list already are not added again. */
  async add(paths: readonly string[]): Promise<Model[]> {
    const folders = (await Promise.all(paths.map((path) => modelFolders(resolve(path))))).flat();
    const ids: string[] = [];
    for (const folder of folders) ids.push(await this.#addFolder(folder));
    this.#context.changed();
    return [...new Set(ids)].map((id) => this.get(id));
  }

  async #addFolder(folder: string): Promise<string> {
    const real = await realOf(folder);
    for (const { id, path } of this.#records()) if ((await realOf(path)) === real) return id;
    const id = randomUUID();
    this.#context.store.insertModel(unread(id, folder));
    this.#watch(id);
    return id;
  }

  /** Takes it off the list; its files stay. */
  remove(id: string): void {
    if (id === DEMO) throw new TamisError('model.demo-stays');
    this.#record(id);
    this.#unwatch(id);
    this.#context.store.deleteModel(id);
    this.#context.changed();
  }

  /** The folder was moved there. */
  async relocate(id: string, path: string): Promise<Model> {
    if (id === DEMO) throw new TamisError('model.demo-stays');
    const record = this.#record(id);
    const real = await realOf(resolve(path));
    for (const other of this.#records())
      if (other.id !== id && (await realOf(other.path)) === real) throw new TamisError('model.listed', { path });
    this.#unwatch(id);
    this.#context.store.updateModel({ ...record, path: resolve(path) });
    this.#watch(id);
    this.#context.changed();
    return this.get(id);
  }

  /** When everything that is being read has been. */
  async settled(): Promise<void> {
    await this.#reading;
  }

  // Reading

  #watch(id: string): void {
    this.#watches.set(id, new FolderWatch(this.#record(id).path, () => this.#look(id)));
    this.#look(id);
  }

  #unwatch(id: string): void {
    this.#watches.get(id)?.close();
    this.#watches.delete(id);
    this.#missing.delete(id);
  }

  #look(id: string): void {
    // If the database takes no more, it is read again at the next start.
    this.#reading = this.#reading.then(() => this.#read(id)).catch(ignoreHistory);
  }

  async #read(id: string): Promise<void> {
    const record = this.#current(id);
    if (!record) return;
    const fingerprint = await fingerprintOf(record.path).catch(() => 'unreadable');
    this.#tell(id, fingerprint === null ? 'missing' : 'there');
    if (fingerprint === null || fingerprint === record.fingerprint) return;
    const result = await this.#inspect(record.path, fingerprint);
    const now = this.#current(id);
    if (now?.path !== record.path) return;
    this.#context.store.updateModel({ ...now, ...result });
    this.#context.changed();
  }

  #tell(id: string, now: 'missing' | 'there'): void {
    const before = this.#missing.has(id) ? 'missing' : 'there';
    if (before === now) return;
    if (now === 'missing') this.#missing.add(id);
    else this.#missing.delete(id);
    this.#context.changed();
  }

  async #inspect(path: string, fingerprint: string): Promise<Pick<ModelRecord, 'fingerprint' | 'head' | 'failure'>> {
    try {
      return { fingerprint, head: JSON.stringify(await this.#context.inspect(path)), failure: null };
    } catch (error) {
      const failure = failureOf(error);
      const lasting = /^(checkpoint|config|file)\./.test(failure.code);
      return { fingerprint: lasting ? fingerprint : null, head: null, failure: JSON.stringify(failure) };
    }
  }

  /** The model, unless it was taken off the list or the application ends. */
  #current(id: string): ModelRecord | null {
    return this.#closed ? null : (this.#records().find((record) => record.id === id) ?? null);
  }

  // Records

  #records(): (ModelRecord & { runs: number })[] {
    return this.#context.store.models();
  }

  #record(id: string): ModelRecord & { runs: number } {
    const record = this.#records().find((known) => known.id === id);
    if (!record) throw new TamisError('model.unknown');
    return record;
  }

  #modelOf(record: ModelRecord & { runs: number }): Model {
    const { id, path, runs } = record;
    return { id, path, name: basename(path), demo: id === DEMO, state: this.#stateOf(record), runs };
  }

  #stateOf({ id, head, failure }: ModelRecord): Model['state'] {
    if (this.#missing.has(id)) return { kind: 'missing' };
    if (head !== null) {
      // A head as another version of Tamis kept it is read again.
      const parsed = modelHeadSchema.safeParse(JSON.parse(head));
      return parsed.success ? { kind: 'ready', head: parsed.data } : { kind: 'reading' };
    }
    if (failure !== null) return { kind: 'refused', failure: keptFailureSchema.parse(JSON.parse(failure)) };
    return { kind: 'reading' };
  }
}

function ignoreHistory(error: unknown): void {
  if (!(error instanceof TamisError) || !error.code.startsWith('history.')) throw error;
}

function unread(id: string, path: string): ModelRecord {
  return { id, path, added_at: new Date().toISOString(), fingerprint: null, head: null, failure: null };
}

async function realOf(path: string): Promise<string> {
  return await realpath(path).catch(() => resolve(path));
}
