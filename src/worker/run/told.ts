import type { RunEvent, Stage } from '../../contract/events.ts';

/** Who hears of what happens, and who may stop it. */
export interface Told {
  readonly signal: AbortSignal;
  readonly emit: (event: RunEvent) => void;
}

/** Announces a stage, does it, and tells of its seconds. */
export async function timed<T>(emit: (event: RunEvent) => void, name: Stage, work: () => T | Promise<T>): Promise<T> {
  emit({ type: 'stage', stage: name, state: 'started', seconds: 0 });
  const start = performance.now();
  const value = await work();
  emit({ type: 'stage', stage: name, state: 'finished', seconds: (performance.now() - start) / 1000 });
  return value;
}
