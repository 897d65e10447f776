import { readFileSync } from 'node:fs';

import { native } from '../native.ts';

/** Anonymous resident memory of this process in bytes: what it holds, without the pages of mapped files (Linux; elsewhere all resident memory). */
export function anonymousMemory(): number {
  if (process.platform !== 'linux') return process.memoryUsage.rss();
  const line = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(line?.[1] ?? 0) * 1024;
}

/** The highest anonymous memory between its making and `stop`, sampled every 20 ms by a thread of the native core. */
export class PeakMemory implements Disposable {
  readonly #sampler = new native.MemorySampler();

  /** Bytes; the sampling ends. */
  stop(): number {
    return this.#sampler.stop();
  }

  [Symbol.dispose](): void {
    this.#sampler.stop();
  }
}
