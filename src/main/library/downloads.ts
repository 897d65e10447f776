import { randomUUID } from 'node:crypto';

import { z } from 'zod';

import { readJson, writeJson } from '../../disk/files.ts';
import type { Question, Reply, Update } from '../../contract/engine.ts';
import { TamisError } from '../../contract/errors.ts';
import { failureOf } from '../../contract/failure.ts';
import { downloadSchema, type Download, type PullTask } from '../../contract/hub.ts';

/** What is kept of a download between two starts of the application: all but what goes on. */
const keptSchema = z.array(downloadSchema.omit({ state: true, moved: true }).extend({ endpoint: z.string() }).strip());
type Kept = z.infer<typeof keptSchema>[number];

export interface DownloadsContext {
  /** The file that the list is kept in. */
  readonly path: string;
  /** Pulls in a process of its own. */
  readonly pull: (
    task: Question<'pull'>,
    asking: { signal: AbortSignal; tell: (update: Update<'pull'>) => void },
  ) => Promise<Reply<'pull'>>;
  readonly discard: (folder: string) => Promise<void>;
  readonly tokenFor: (endpoint: string) => string | null;
  /** The list is another than before, or a state in it. */
  readonly changed: () => void;
  readonly progressed: (download: Download) => void;
  /** All is there and checked. */
  readonly finished: (download: Download, result: Reply<'pull'>) => Promise<void>;
}

interface Entry {
  readonly kept: Kept;
  state: Download['state'];
  moved: Download['moved'];
  /** While it goes on. */
  work: { readonly abort: AbortController; readonly ended: Promise<void> } | null;
}

/** Models that are being fetched, or were when the application ended. What goes on ends with it and is then paused. */
export class Downloads {
  readonly #context: DownloadsContext;
  readonly #entries: Entry[];
  #written: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(context: DownloadsContext, kept: readonly Kept[]) {
    this.#context = context;
    this.#entries = kept.map((one) => ({ kept: one, state: { kind: 'paused' }, moved: null, work: null }));
  }

  static async open(context: DownloadsContext): Promise<Downloads> {
    // The files of a damaged list lie in their folders: a new download of the same name goes on with them.
    return new Downloads(context, (await readJson(context.path, keptSchema).catch(() => null)) ?? []);
  }

  list(): Download[] {
    return this.#entries.map(downloadOf);
  }

  async start(task: Omit<PullTask, 'token'>): Promise<Download> {
    if (this.#entries.some(({ kept }) => kept.folder === task.folder))
      throw new TamisError('hub.going-on', { repository: task.repository });
    const entry: Entry = {
      kept: { ...task, id: randomUUID(), done: 0, total: 0 },
      state: { kind: 'paused' },
      moved: null,
      work: null,
    };
    this.#entries.push(entry);
    await this.#write();
    this.#begin(entry);
    return downloadOf(entry);
  }

  resume(id: string): void {
    const entry = this.#entry(id);
    if (entry.work === null && !this.#closed) this.#begin(entry);
  }

  async pause(id: string): Promise<void> {
    await stop(this.#entry(id));
  }

  /** Stops it, deletes what it has fetched and takes it off the list. */
  async cancel(id: string): Promise<void> {
    const entry = this.#entry(id);
    await stop(entry);
    // It may have been finished meanwhile.
    if (!this.#entries.includes(entry)) return;
    await this.#context.discard(entry.kept.folder);
    await this.#remove(entry);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#entries.map(stop));
    await this.#written;
  }

  #entry(id: string): Entry {
    const entry = this.#entries.find(({ kept }) => kept.id === id);
    if (!entry) throw new TamisError('hub.no-pull');
    return entry;
  }

  #begin(entry: Entry): void {
    const abort = new AbortController();
    entry.state = { kind: 'going-on', progress: null };
    entry.moved = null;
    entry.work = { abort, ended: this.#work(entry, abort.signal) };
    this.#context.changed();
  }

  async #work(entry: Entry, signal: AbortSignal): Promise<void> {
    const { endpoint, repository, revision, folder } = entry.kept;
    try {
      const token = this.#context.tokenFor(endpoint);
      const task = { repository, revision, endpoint, folder, token };
      const result = await this.#context.pull(task, { signal, tell: (update) => this.#take(entry, update) });
      await this.#context.finished(downloadOf(entry), result);
      entry.work = null;
      await this.#remove(entry);
    } catch (error) {
      entry.work = null;
      entry.state = signal.aborted ? { kind: 'paused' } : { kind: 'failed', failure: failureOf(error) };
      // What is not written now is written at the next change.
      await this.#write().catch(() => undefined);
      this.#context.changed();
    }
  }

  #take(entry: Entry, update: Update<'pull'>): void {
    if (update.kind === 'plan') {
      const { earlier, commit, bytes, missingBytes } = update.plan;
      entry.moved = earlier === null ? null : { earlier, commit };
      entry.kept.total = bytes;
      entry.kept.done = bytes - missingBytes;
      void this.#write().catch(() => undefined);
      return;
    }
    const { progress } = update;
    entry.state = { kind: 'going-on', progress };
    if (progress.stage === 'download') {
      entry.kept.done = progress.done;
      entry.kept.total = progress.total;
    }
    this.#context.progressed(downloadOf(entry));
  }

  async #remove(entry: Entry): Promise<void> {
    this.#entries.splice(this.#entries.indexOf(entry), 1);
    await this.#write();
    this.#context.changed();
  }

  async #write(): Promise<void> {
    const written = this.#written.then(() =>
      writeJson(
        this.#context.path,
        this.#entries.map(({ kept }) => kept),
      ),
    );
    this.#written = written.catch(() => undefined);
    await written;
  }
}

async function stop({ work }: Entry): Promise<void> {
  work?.abort.abort();
  await work?.ended;
}

function downloadOf({ kept: { endpoint: _endpoint, ...kept }, state, moved }: Entry): Download {
  return { ...kept, state, moved };
}
