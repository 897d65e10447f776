import type { Job } from '../../contract/engine.ts';
import { TamisError } from '../../contract/errors.ts';
import type { TimedEvent } from '../../contract/events.ts';
import { failureOf, type Failure } from '../../contract/failure.ts';
import { resumable, type RunRow } from '../../contract/history.ts';
import type { Recipe } from '../../contract/recipe.ts';
import type { EndState } from '../history/card.ts';
import { hasBegun, readEvents, readReport } from '../history/folder.ts';
import type { History } from '../history/history.ts';
import { LiveEvents } from './live-events.ts';
import { EngineProcess, type End, type Launch } from './process.ts';

/** A stop that is not heard in so long is made a kill: native code looks at its flag several times a second. */
const STOP_MS = 60_000;

/** A run whose process is alive. */
interface Active {
  readonly process: EngineProcess;
  readonly recipe: Recipe;
  readonly told: LiveEvents;
  /** What the person asked for, and so what the run's end is called. */
  asked: 'paused' | 'cancelled' | null;
}

export interface Watchers {
  readonly onEvents: (id: string, events: TimedEvent[]) => void;
  readonly onChange: (row: RunRow) => void;
  /** A run has ended by itself: finished or not, but not because it was asked to. */
  readonly onEnded: (row: RunRow) => void;
  /** The next attempt at a run's goal was queued. */
  readonly onAttempt: (row: RunRow) => void;
  /** A run's goal is given up. */
  readonly onUnreached: (failure: Failure) => void;
  /** The history could not be written. */
  readonly onTrouble: (failure: Failure) => void;
  /** Whether any run is going on. */
  readonly onBusy: (busy: boolean) => void;
}

/** Runs the queue: one run at a time on a device, each in a process of its own; the history follows. */
export class Runs {
  readonly #history: History;
  readonly #launch: Launch;
  readonly #watchers: Watchers;
  readonly #active = new Map<string, Active>();
  /** One for each run whose end is not in the history yet. */
  readonly #ends = new Set<Promise<void>>();
  #isClosing = false;

  constructor(history: History, launch: Launch, watchers: Watchers) {
    this.#history = history;
    this.#launch = launch;
    this.#watchers = watchers;
  }

  get active(): string[] {
    return [...this.#active.keys()];
  }

  /** Starts what waits, oldest first, as far as devices are free. */
  pump(): void {
    if (this.#isClosing) return;
    for (const { id } of this.#history.queued()) {
      const recipe = this.#history.recipe(id);
      const isTaken = [...this.#active.values()].some((other) => sharesDevice(other.recipe, recipe));
      if (!isTaken) this.#begin(id);
    }
    this.#watchers.onBusy(this.#active.size > 0);
  }

  /** What a run has told so far, over all its starts; of what passes the newest of each kind. */
  async events(id: string): Promise<TimedEvent[]> {
    const active = this.#active.get(id);
    const log = await readEvents(this.#history.get(id).path);
    return active ? active.told.after(log) : log;
  }

  async pause(id: string): Promise<void> {
    await this.#stop(id, 'paused');
  }

  async cancel(id: string): Promise<void> {
    await this.#stop(id, 'cancelled');
  }

  async resume(id: string): Promise<void> {
    const row = this.#history.get(id);
    if (!resumable.includes(row.state)) throw new TamisError('run.busy', { name: row.name });
    this.#watchers.onChange(await this.#history.requeue(id));
    this.pump();
  }

  /** Pauses what runs and waits for its safe point; what waits stays waiting. For the application's end. */
  async close(): Promise<void> {
    this.#isClosing = true;
    for (const id of this.active) await this.pause(id);
    await Promise.all(this.#ends);
  }

  async #stop(id: string, as: 'paused' | 'cancelled'): Promise<void> {
    const active = this.#active.get(id);
    if (!active) {
      if (this.#history.get(id).state === 'queued') this.#watchers.onChange(await this.#history.end(id, as, null));
      return;
    }
    active.asked = as;
    active.process.stop();
    setTimeout(() => {
      if (this.#active.get(id) === active) active.process.kill();
    }, STOP_MS).unref();
  }

  #begin(id: string): void {
    const { path } = this.#history.get(id);
    const recipe = this.#history.recipe(id);
    const job: Job = hasBegun(path) ? { kind: 'resume', out: path } : { kind: 'compress', recipe, out: path };
    let settle = (): void => undefined;
    const ended = new Promise<void>((resolve) => (settle = resolve)).finally(() => this.#ends.delete(ended));
    this.#ends.add(ended);
    const process = new EngineProcess(job, `run ${id}`, this.#launch, {
      onWord: (word) => {
        if (word.kind === 'events') this.#hear(id, word.events);
      },
      onEnd: (end) => void this.#end(id, end).finally(settle),
    });
    const active: Active = { process, recipe, told: new LiveEvents(), asked: null };
    this.#active.set(id, active);
    this.#watchers.onChange(this.#history.start(id));
  }

  #hear(id: string, events: TimedEvent[]): void {
    const active = this.#active.get(id);
    if (!active) return;
    active.told.add(events);
    this.#watchers.onEvents(id, events);
  }

  async #end(id: string, end: End): Promise<void> {
    const asked = this.#active.get(id)?.asked ?? null;
    this.#active.delete(id);
    const row = await this.#record(id, end, asked).catch((error: unknown) => {
      this.#launch.log(`the end of run ${id} could not be recorded: ${String(error)}`);
      this.#watchers.onTrouble(failureOf(error));
      return this.#history.get(id);
    });
    this.#watchers.onChange(row);
    if (row.state !== 'paused' && row.state !== 'cancelled') this.#watchers.onEnded(row);
    this.pump();
  }

  async #record(id: string, end: End, asked: Active['asked']): Promise<RunRow> {
    const report = await readReport(this.#history.get(id).path).catch(() => null);
    if (report) {
      const { row, next, unreached } = await this.#history.finish(id);
      if (next) this.#watchers.onAttempt(next);
      if (unreached) this.#watchers.onUnreached(unreached);
      return row;
    }
    const { state, failure } = outcomeOf(end, asked);
    return await this.#history.end(id, state, failure);
  }
}

/** `auto` may become any device, or any GPU. */
function sharesDevice(one: Pick<Recipe, 'device' | 'gpu'>, other: Pick<Recipe, 'device' | 'gpu'>): boolean {
  const isSame = (a: string, b: string): boolean => a === b || a === 'auto' || b === 'auto';
  const useGpus = one.gpu !== 'none' && other.gpu !== 'none';
  return isSame(one.device, other.device) || (useGpus && isSame(one.gpu, other.gpu));
}

interface Outcome {
  readonly state: EndState;
  readonly failure: Failure | null;
}

/** How a run that left no report ended. With a report, which is written last of all, it is finished however it ended. */
function outcomeOf(end: End, asked: Active['asked']): Outcome {
  const because = (code: Failure['code'], params: Failure['params'] = {}): Failure => ({ code, params });
  switch (end.kind) {
    case 'told':
      if (asked && end.failure?.code === 'cancelled') return { state: asked, failure: null };
      return { state: 'failed', failure: end.failure ?? because('engine.lost') };
    case 'ended':
      return { state: asked ?? 'cancelled', failure: null };
    case 'killed':
      return { state: 'killed', failure: because('engine.killed') };
    case 'out-of-memory':
      return { state: 'out-of-memory', failure: because('engine.out-of-memory') };
    case 'crashed':
      return { state: 'failed', failure: because('engine.crashed', { exitCode: end.exitCode }) };
    case 'not-started':
      return { state: 'failed', failure: because('engine.not-started') };
  }
}
