import type { RunEvent, Stage } from '../../contract/events.ts';
import { anonymousMemory } from '../machine/memory.ts';

const INTERVAL_MS = 100;
const WINDOW_MS = 20_000;

/** Counts a stage's work and tells of it at most ten times a second; the time left is from the last 20 seconds' rate. */
export class Progress {
  readonly #stage: Stage;
  readonly #total: number;
  readonly #emit: (event: RunEvent) => void;
  readonly #samples: { at: number; done: number; tokens: number }[];
  #done = 0;
  #tokens = 0;
  #told = 0;
  /** The block being worked on; null outside of blocks. */
  block: number | null = null;

  constructor(stage: Stage, total: number, emit: (event: RunEvent) => void) {
    this.#stage = stage;
    this.#total = total;
    this.#emit = emit;
    this.#samples = [{ at: performance.now(), done: 0, tokens: 0 }];
  }

  /** `work` in the unit of `total`; `tokens` that went through a graph meanwhile. */
  add(work: number, tokens = 0): void {
    this.#done += work;
    this.#tokens += tokens;
    const now = performance.now();
    if (now - this.#told < INTERVAL_MS && this.#done < this.#total) return;
    this.#told = now;
    this.#samples.push({ at: now, done: this.#done, tokens: this.#tokens });
    while (this.#samples.length > 2 && now - (this.#samples[0]?.at ?? now) > WINDOW_MS) this.#samples.shift();
    this.#tell(now);
  }

  /** Sets the work done where it is known better than the sum of its parts. */
  reach(done: number, tokens = 0): void {
    this.add(Math.max(0, done - this.#done), tokens);
  }

  /** Counts a piece of work as its share that is done rises, from 0 to 1. */
  sharesOf(work: number): (share: number) => void {
    let counted = 0;
    return (share) => {
      const further = Math.max(0, Math.min(1, share) - counted);
      counted += further;
      if (further > 0) this.add(work * further);
    };
  }

  /** Takes back what was done of a piece of work that begins anew. */
  rewind(done: number): void {
    if (this.#done <= done) return;
    this.#done = done;
    this.#samples.splice(0, Infinity, { at: performance.now(), done, tokens: this.#tokens });
  }

  #tell(now: number): void {
    const first = this.#samples[0] ?? { at: now, done: this.#done, tokens: this.#tokens };
    const seconds = (now - first.at) / 1000;
    const rate = seconds > 0 ? (this.#done - first.done) / seconds : 0;
    const tokens = this.#tokens - first.tokens;
    this.#emit({
      type: 'progress',
      stage: this.#stage,
      done: this.#done,
      total: this.#total,
      block: this.block,
      tokensPerSecond: seconds > 0 && tokens > 0 ? tokens / seconds : null,
      remainingSeconds: rate > 0 ? Math.max(0, this.#total - this.#done) / rate : null,
      memoryBytes: anonymousMemory(),
    });
  }
}
