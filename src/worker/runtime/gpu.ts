import type { Gpu as GpuFacts } from '../../contract/gpu.ts';
import { TamisError } from '../../contract/errors.ts';
import { native, translated, type Gpu } from '../native.ts';
import { mayHaveGpu } from './devices.ts';

/** A GPU that is open, and has passed its self-test. */
export interface OpenGpu extends GpuFacts {
  readonly handle: Gpu;
}

export type Warn = (code: 'gpu.not-used', params: { adapter: string; reason: string }) => void;

/**
 * What `auto` comes to: the first GPU that works, discrete ones before integrated ones, never one in software, else `none`. One that
 * does not work is told of.
 */
export async function chooseGpu(wanted: string, warn: Warn): Promise<string> {
  if (wanted !== 'auto') return wanted;
  if (!mayHaveGpu()) return 'none';
  const adapters = await translated(() => native.listAdapters());
  for (const { name, kind } of adapters) {
    if (kind === 'software') continue;
    try {
      const { handle } = await openGpu(name);
      await translated(() => handle.close());
      return name;
    } catch (error) {
      if (!(error instanceof TamisError)) throw error;
      warn('gpu.not-used', { adapter: name, reason: String(error.params['reason'] ?? error.message) });
    }
  }
  return 'none';
}

/** Of all that a recipe may name. */
export async function gpuNames(): Promise<string[]> {
  if (!mayHaveGpu()) return [];
  return (await translated(() => native.listAdapters())).map(({ name }) => name);
}

/** What is known of a GPU without opening it. Error gpu.no-adapter. */
export async function findGpu(name: string): Promise<GpuFacts> {
  const adapters = await translated(() => native.listAdapters());
  const found = adapters.find((adapter) => adapter.name === name);
  if (!found) throw new TamisError('gpu.no-adapter', { adapter: name });
  return { name, driver: found.driver, memoryBytes: null };
}

/** Errors gpu.no-adapter, gpu.not-usable, gpu.failed: a GPU that cannot be had, or computes wrong. */
export async function openGpu(name: string): Promise<OpenGpu> {
  const facts = await findGpu(name);
  const handle = await translated(() => native.openGpu(name));
  await translated(() => handle.selfTest());
  return { handle, ...facts };
}
