import { setTimeout as sleep } from 'node:timers/promises';

import type { TamisError } from '../../contract/errors.ts';

/** Something that may be gone at the next attempt. `waitMs`: what the server asks for; null = nothing. */
export class Hiccup extends Error {
  readonly reason: TamisError;
  readonly waitMs: number | null;

  constructor(reason: TamisError, waitMs: number | null = null) {
    super(reason.message);
    this.reason = reason;
    this.waitMs = waitMs;
  }
}

export interface Patience {
  /** In a row without any progress. */
  readonly attempts: number;
  /** Before the second attempt; twice as long before each one after it. */
  readonly backoffMs: number;
  /** A server that wants more than this is not waited for. */
  readonly longestWaitMs: number;
  readonly signal: AbortSignal;
  /** The next attempt is so far away. */
  readonly onWait: (reason: TamisError, ms: number) => void;
}

/**
 * Does what may end in a `Hiccup`, again and again until it succeeds, or the patience is at its end: then what the last hiccup was
 * about is thrown. `work` says by `progressed` that it has come further, and the attempts are counted anew.
 */
export async function persist<T>(
  work: (progressed: () => void) => Promise<T>,
  { attempts, backoffMs, longestWaitMs, signal, onWait }: Patience,
): Promise<T> {
  let failed = 0;
  for (;;) {
    try {
      return await work(() => (failed = 0));
    } catch (error) {
      if (!(error instanceof Hiccup)) throw error;
      failed += 1;
      const ms = error.waitMs ?? backoffMs * 2 ** (failed - 1);
      if (failed >= attempts || ms > longestWaitMs) throw error.reason;
      onWait(error.reason, ms);
      await sleep(ms, null, { signal });
    }
  }
}
