import { readFileSync } from 'node:fs';

import { app, utilityProcess, type Details, type UtilityProcess } from 'electron';

import { wordSchema, type Job, type Order, type Word } from '../../contract/engine.ts';
import type { Failure } from '../../contract/failure.ts';

/** Every way in which a process of the engine ends. A run that was asked to stop ends as `told` with the code `cancelled`. */
export type End =
  /** By its own last word: finished (null), or what went wrong. */
  | { readonly kind: 'told'; readonly failure: Failure | null }
  /** By `kill` below, asked for by this process. */
  | { readonly kind: 'ended' }
  /** By someone else, or by the system. */
  | { readonly kind: 'killed' }
  | { readonly kind: 'out-of-memory' }
  | { readonly kind: 'crashed'; readonly exitCode: number }
  | { readonly kind: 'not-started' };

export interface Listener {
  readonly onWord: (word: Exclude<Word, { kind: 'end' }>) => void;
  /** Called once. */
  readonly onEnd: (end: End) => void;
}

export interface Place {
  /** The bundled src/worker/index.ts. */
  readonly entry: string;
  /** As each process starts. */
  readonly env: () => NodeJS.ProcessEnv;
  /** Takes what the process writes: warnings of onnxruntime and of drivers. */
  readonly log: (line: string) => void;
}

/** After its last word, or the order to stop, a process gets so long to end by itself. */
const GRACE_MS = 5000;

let started = 0;

/** One utility process of the engine, from its start to its end. Whatever happens to it, `onEnd` is called once. */
export class EngineProcess {
  readonly #child: UtilityProcess;
  readonly #listener: Listener;
  readonly #name: string;
  readonly #kills = oomKills();
  #told: { failure: Failure | null } | null = null;
  #gone: string | null = null;
  #killed = false;
  #hasEnded = false;

  constructor(job: Job, place: Place, listener: Listener) {
    this.#listener = listener;
    this.#name = `tamis-engine-${++started}`;
    this.#child = utilityProcess.fork(place.entry, [], {
      serviceName: this.#name,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: place.env(),
    });
    app.on('child-process-gone', this.#onGone);
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (data: Buffer) => place.log(data.toString().trimEnd()));
    // Kept for it until it has started, as are the orders after it.
    this.#child.postMessage(job);
    this.#child.on('message', (message: unknown) => this.#take(message));
    this.#child.on('error', (type, location) => place.log(`${this.#name}: ${type} at ${location}`));
    // `child-process-gone`, which knows the reason, may come just after `exit`.
    this.#child.once('exit', (code) => setTimeout(() => this.#end(code), 50));
  }

  order(order: Order): void {
    if (!this.#hasEnded) this.#child.postMessage(order);
  }

  /** Asks a run to stop at its next safe point. */
  stop(): void {
    this.order({ kind: 'stop' });
  }

  /** Ends it at once: what a run has finished is on disk. */
  kill(): void {
    this.#killed = true;
    this.#child.kill();
  }

  #take(message: unknown): void {
    const word = wordSchema.parse(message);
    if (word.kind !== 'end') {
      this.#listener.onWord(word);
      return;
    }
    this.#told = { failure: word.failure };
    // Its work is done and on disk. A kill that comes too late is no harm.
    this.#child.kill();
    setTimeout(() => this.#end(null), GRACE_MS).unref();
  }

  readonly #onGone = (_event: unknown, details: Details): void => {
    if (details.name === this.#name || details.serviceName === this.#name) this.#gone = details.reason;
  };

  #end(exitCode: number | null): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    app.off('child-process-gone', this.#onGone);
    this.#listener.onEnd(this.#endOf(exitCode));
  }

  #endOf(exitCode: number | null): End {
    if (this.#told) return { kind: 'told', ...this.#told };
    if (this.#killed) return { kind: 'ended' };
    if (this.#gone === 'launch-failed' || this.#gone === 'integrity-failure') return { kind: 'not-started' };
    if (this.#gone === 'oom' || this.#gone === 'memory-eviction' || oomKills() > this.#kills)
      return { kind: 'out-of-memory' };
    if (this.#gone === 'killed') return { kind: 'killed' };
    return { kind: 'crashed', exitCode: exitCode ?? 0 };
  }
}

/** How many processes Linux has killed for want of memory since it started; 0 where there is no such count. */
function oomKills(): number {
  if (process.platform !== 'linux') return 0;
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
