import { readFileSync } from 'node:fs';

import { app, utilityProcess, type Details, type UtilityProcess } from 'electron';

import { wordSchema, type Job, type Order, type Word } from '../../contract/engine.ts';
import type { Failure } from '../../contract/failure.ts';
import { LineDecoder } from './line-decoder.ts';

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

/** What every process of the engine is started with. */
export interface Launch {
  /** The bundled src/worker/index.ts. */
  readonly entry: string;
  /** As each process starts. */
  readonly env: () => NodeJS.ProcessEnv;
  /** Takes what the processes write, line by line: warnings of onnxruntime and of drivers. */
  readonly log: (line: string) => void;
}

/** After its last word, or the order to stop, a process gets so long to end by itself. */
const GRACE_MS = 5000;

let started = 0;

/** One utility process of the engine, from its start to its end. Whatever happens to it, `onEnd` is called once. */
export class EngineProcess {
  readonly #child: UtilityProcess;
  readonly #listener: Listener;
  readonly #log: Launch['log'];
  readonly #name: string;
  /** What it is started for, as its lines in the log name it. */
  readonly #purpose: string;
  readonly #kills = oomKills();
  /** Electron forgets it when the process has ended. */
  #pid: number | undefined;
  #told: { failure: Failure | null } | null = null;
  #gone: string | null = null;
  #killed = false;
  #hasEnded = false;

  constructor(job: Job, purpose: string, launch: Launch, listener: Listener) {
    this.#listener = listener;
    this.#log = launch.log;
    this.#purpose = purpose;
    this.#name = `tamis-engine-${++started}`;
    this.#child = utilityProcess.fork(launch.entry, [], {
      serviceName: this.#name,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: launch.env(),
    });
    app.on('child-process-gone', this.#onGone);
    const outputs = [this.#child.stdout, this.#child.stderr].flatMap((stream) =>
      stream ? [new Output(stream, this.#write)] : [],
    );
    this.#child.once('spawn', () => (this.#pid = this.#child.pid));
    // Kept for it until it has started, as are the orders after it.
    this.#child.postMessage(job);
    this.#child.on('message', (message: unknown) => this.#take(message));
    this.#child.on('error', (type, location) => this.#write(`${type} at ${location}`));
    this.#child.once('exit', (code) => {
      // Electron takes all listeners off the outputs now, before what the process wrote last has come to them.
      queueMicrotask(() => outputs.forEach((output) => output.listen()));
      // `child-process-gone`, which knows the reason, may come just after `exit`.
      setTimeout(() => {
        for (const output of outputs) output.end();
        this.#end(code);
      }, 50);
    });
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

  /** Each line of the log names what the process is for, and the process. */
  readonly #write = (line: string): void => {
    const name = this.#pid === undefined ? this.#name : `${this.#name}, process ${this.#pid}`;
    this.#log(`${this.#purpose} (${name}): ${line}`);
  };

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

/** Hands on the lines that a process writes into one of its outputs. */
class Output {
  readonly #stream: NodeJS.ReadableStream;
  readonly #decoder = new LineDecoder();
  readonly #write: (line: string) => void;

  constructor(stream: NodeJS.ReadableStream, write: (line: string) => void) {
    this.#stream = stream;
    this.#write = write;
    this.listen();
  }

  listen(): void {
    this.#stream.off('data', this.#take).on('data', this.#take);
  }

  end(): void {
    this.#decoder.end().forEach(this.#write);
  }

  readonly #take = (chunk: Buffer): void => {
    this.#decoder.write(chunk).forEach(this.#write);
  };
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
