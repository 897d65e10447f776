import type { TamisError } from '../../contract/errors.ts';
import { failureOf } from '../../contract/failure.ts';
import type { PullProgress, PullStage } from '../../contract/hub.ts';

/** Progress is told at most so often. */
const INTERVAL_MS = 100;
/** The rate is that of so long. */
const WINDOW_MS = 10_000;

interface Mark {
  readonly ms: number;
  /** Received until then, whatever was lost again. */
  readonly received: number;
}

/** Counts the bytes of a pull and tells how far it is. */
export class Meter {
  readonly #tell: (progress: PullProgress) => void;
  #stage: PullStage = 'list';
  #done = 0;
  #total = 0;
  #received = 0;
  #marks: Mark[] = [];
  #told = -Infinity;

  constructor(tell: (progress: PullProgress) => void) {
    this.#tell = tell;
  }

  begin(stage: PullStage, counted: { done: number; total: number }): void {
    this.#stage = stage;
    this.#done = counted.done;
    this.#total = counted.total;
    this.#marks = [{ ms: performance.now(), received: this.#received }];
    this.#say(null);
  }

  /** Bytes came, or were lost again where they are negative. */
  add(bytes: number): void {
    this.#done += bytes;
    this.#received += Math.max(0, bytes);
    const now = performance.now();
    if (now - this.#told < INTERVAL_MS && this.#done < this.#total) return;
    this.#marks = [...this.#marks.filter(({ ms }) => now - ms < WINDOW_MS), { ms: now, received: this.#received }];
    this.#say(null);
  }

  wait(reason: TamisError, ms: number): void {
    this.#marks = [];
    this.#say({ seconds: ms / 1000, reason: failureOf(reason) });
  }

  #say(waiting: PullProgress['waiting']): void {
    this.#told = performance.now();
    const rate = this.#rate();
    this.#tell({
      stage: this.#stage,
      done: this.#done,
      total: this.#total,
      bytesPerSecond: rate,
      remainingSeconds: rate === null || rate === 0 ? null : (this.#total - this.#done) / rate,
      waiting,
    });
  }

  #rate(): number | null {
    const [first, last] = [this.#marks[0], this.#marks.at(-1)];
    if (!first || !last || last.ms === first.ms) return null;
    return (1000 * (last.received - first.received)) / (last.ms - first.ms);
  }
}
