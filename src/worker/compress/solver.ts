import { TamisError } from '../../contract/errors.ts';
import { controlled, native, translated, type Control, type Factor, type Gram } from '../native.ts';
import type { Devices } from '../run/devices.ts';
import type { Run } from '../run/run.ts';

/** What a GPU says of a matrix or pattern that it does not take: the CPU does. */
const refusals = ['gpu.too-large', 'gpu.pattern'];

/** Gram matrices are summed up, and what is made of them is used, on a run's GPU, where there is one, as far as it takes them. */
export interface Solver extends Pick<Run, 'signal' | 'emit'> {
  readonly devices: Pick<Devices, 'gpu' | 'tapsOnGpu'>;
}

/** Makes the sums, all zero, of a tap of `cols` columns that layers of this type read. */
export async function newGram(solver: Solver, tap: string, cols: number, type: string): Promise<Gram> {
  const { gpu, tapsOnGpu } = solver.devices;
  if (gpu === null) return new native.Gram(cols);
  if (tapsOnGpu.has(tap)) {
    try {
      return await translated(() => new native.Gram(cols, gpu.handle));
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
  }
  tellOfCpu(solver, type);
  return new native.Gram(cols);
}

/** Does something with the factor of a layer of this type: where it lies, or on the CPU where the GPU refuses it. `onShare` as in `controlled`. */
export async function useFactor<T>(
  solver: Solver,
  factor: Factor,
  type: string,
  use: (factor: Factor, control: Control) => Promise<T>,
  onShare?: (share: number) => void,
): Promise<T> {
  const { signal } = solver;
  try {
    return await controlled(signal, (control) => use(factor, control), onShare);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    tellOfCpu(solver, type);
  }
  using onCpu = await translated(() => factor.toCpu());
  return await controlled(signal, (control) => use(onCpu, control), onShare);
}

function tellOfCpu({ devices, emit }: Solver, type: string): void {
  emit({ type: 'warning', code: 'gpu.layers-on-cpu', params: { layers: type, gpu: devices.gpu?.name ?? '' } });
}

function isRefusal(error: unknown): boolean {
  return error instanceof TamisError && refusals.includes(error.code);
}
