import type { Job, Word } from '../contract/engine.ts';
import { withoutPassed, type TimedEvent } from '../contract/events.ts';
import { failureOf } from '../contract/failure.ts';
import { compress, resume, type RunOptions } from './engine.ts';

/** Events leave at most so often. */
const INTERVAL_MS = 100;

/** Does a run and tells of it: its events in batches, then its end. */
export async function runJob(
  job: Exclude<Job, { kind: 'serve' }>,
  signal: AbortSignal,
  say: (word: Word) => void,
): Promise<void> {
  const batch = new Batch((events) => say({ kind: 'events', events }));
  const options: RunOptions = { signal, onEvent: (event, mark) => batch.add({ ...mark, event }) };
  try {
    await (job.kind === 'compress' ? compress(job.recipe, job.out, options) : resume(job.out, options));
    batch.flush();
    say({ kind: 'end', failure: null });
  } catch (error) {
    batch.flush();
    say({ kind: 'end', failure: failureOf(error) });
  }
}

/** Collects events and hands them on at most ten times a second; of several reports of progress only the newest. */
class Batch {
  readonly #send: (events: TimedEvent[]) => void;
  #events: TimedEvent[] = [];
  #sent = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(send: (events: TimedEvent[]) => void) {
    this.#send = send;
  }

  add(event: TimedEvent): void {
    this.#events.push(event);
    const wait = this.#sent + INTERVAL_MS - performance.now();
    if (wait <= 0) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), wait);
  }

  flush(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#sent = performance.now();
    const events = withoutPassed(this.#events);
    this.#events = [];
    if (events.length > 0) this.#send(events);
  }
}
