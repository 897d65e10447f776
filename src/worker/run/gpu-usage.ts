import type { RunEvent } from '../../contract/events.ts';
import type { OpenGpu } from '../runtime/gpu.ts';

const INTERVAL_MS = 1000;

/** What has the run's GPU: null once it is given up. */
interface GpuOwner {
  readonly gpu: { readonly handle: Pick<OpenGpu['handle'], 'usage'> } | null;
}

/** Tells once a second what of the run's GPU is in use, where its driver tells, until what it returns is disposed of. */
export function watchGpu(owner: GpuOwner, emit: (event: RunEvent) => void): Disposable {
  let isAsking = false;
  let isOver = false;
  const ask = async (): Promise<void> => {
    const { gpu } = owner;
    if (gpu === null || isAsking) return;
    isAsking = true;
    const usage = await gpu.handle.usage();
    isAsking = false;
    const isTold = usage.memoryBytes !== null || usage.utilization !== null;
    if (isTold && !isOver && owner.gpu === gpu) emit({ type: 'gpu-usage', ...usage });
  };
  const timer = setInterval(() => void ask(), INTERVAL_MS);
  return {
    [Symbol.dispose]() {
      isOver = true;
      clearInterval(timer);
    },
  };
}
