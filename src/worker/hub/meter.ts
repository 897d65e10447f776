import type { TamisError } from '../../contract/errors.ts';
import { failureOf } from '../../contract/failure.ts';
import type { PullProgress, PullStage } from '../../contract/hub.ts';

/** Progress is told at most so often. */
const INTERVAL_MS = 100;
/** Told again where nothing comes for so long, since the rate has changed. */
const IDLE_MS = 1000;
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
  #timer: NodeJS.Timeout | null = null;

  constructor(tell: (progress: PullProgress) => void) {
    this.#tell = tell;
  }

  begin(stage: PullStage, counted: { done: number; total: number }): void {
    this.#stage = stage;
    this.#done = counted.done;
    this.#total = counted.total;
    this.#marks = [];
    this.#mark();
  }

  /** Bytes came, or were lost again where they are negative. */
  add(bytes: number): void {
    this.#done += bytes;
    this.#received += Math.max(0, bytes);
    const wait = this.#told + INTERVAL_MS - performance.now();
    if (wait <= 0 || this.#done >= this.#total) this.#mark();
    else this.#markIn(wait);
  }

  wait(reason: TamisError, ms: number): void {
    this.#marks = [];
    this.#say({ seconds: ms / 1000, reason: failureOf(reason) });
  }

  /** Nothing more is told. */
  close(): void {
    if (this.#timer) clearTimeout(this.#timer);
  }

  #mark(): void {
    const now = performance.now();
    this.#marks = [...this.#marks.filter(({ ms }) => now - ms < WINDOW_MS), { ms: now, received: this.#received }];
    this.#say(null);
    this.#markIn(IDLE_MS);
  }

  #markIn(ms: number): void {
    this.close();
    this.#timer = setTimeout(() => this.#mark(), ms);
  }

  #say(waiting: PullProgress['waiting']): void {
    this.close();
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
