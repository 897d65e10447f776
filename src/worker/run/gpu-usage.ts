import type { RunEvent } from '../../contract/events.ts';
import type { OpenGpu } from '../runtime/gpu.ts';

const INTERVAL_MS = 1000;

/** The run's GPU: null once it is given up. */
interface Place {
  readonly gpu: { readonly handle: Pick<OpenGpu['handle'], 'usage'> } | null;
}

/** Tells once a second what of the run's GPU is in use, where its driver tells, until the function that it returns is called. */
export function watchGpu(place: Place, emit: (event: RunEvent) => void): () => void {
  let isAsking = false;
  let isOver = false;
  const ask = async (): Promise<void> => {
    const { gpu } = place;
    if (gpu === null || isAsking) return;
    isAsking = true;
    const usage = await gpu.handle.usage();
    isAsking = false;
    const isTold = usage.memoryBytes !== null || usage.utilization !== null;
    if (isTold && !isOver && place.gpu === gpu) emit({ type: 'gpu-usage', ...usage });
  };
  const timer = setInterval(() => void ask(), INTERVAL_MS);
  return () => {
    isOver = true;
    clearInterval(timer);
  };
}
