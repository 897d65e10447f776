import type { RunEvent, Stage } from '../../contract/events.ts';

/** Who hears of what happens, and who may stop it. */
export interface Told {
  readonly signal: AbortSignal;
  readonly emit: (event: RunEvent) => void;
}

/** Announces a stage, does it, and adds its seconds. */
export async function timed<T>(
  emit: (event: RunEvent) => void,
  name: Stage,
  seconds: Record<string, number>,
  work: () => T | Promise<T>,
): Promise<T> {
  emit({ type: 'stage', stage: name, state: 'started', seconds: 0 });
  const start = performance.now();
  const value = await work();
  const took = (performance.now() - start) / 1000;
  seconds[name] = took;
  emit({ type: 'stage', stage: name, state: 'finished', seconds: took });
  return value;
}
