import { z } from 'zod';

import type { Gpu as GpuFacts } from '../../contract/gpu.ts';
import { TamisError } from '../../contract/errors.ts';
import { native, translated, type Gpu } from '../native.ts';
import { remembered } from '../machine/cache.ts';
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
  return await firstThatWorks(await translated(() => native.listAdapters()), tryGpu, warn);
}

/** What `auto` has tried and nobody has taken yet: a GPU's kernels take seconds to make, and a window plans at each change of a form. */
const tried = new Map<string, OpenGpu>();

async function tryGpu(name: string): Promise<void> {
  if (!tried.has(name)) tried.set(name, await openGpu(name));
}

export async function firstThatWorks(
  adapters: readonly { name: string; kind: string }[],
  attempt: (name: string) => Promise<void>,
  warn: Warn,
): Promise<string> {
  for (const { name, kind } of adapters) {
    if (kind === 'software') continue;
    try {
      await attempt(name);
      return name;
    } catch (error) {
      if (!(error instanceof TamisError)) throw error;
      warn('gpu.not-used', { adapter: name, reason: String(error.params['reason'] ?? error.message) });
    }
  }
  return 'none';
}

/** The names of all GPUs that a recipe may name. */
export async function gpuNames(): Promise<string[]> {
  return (await translated(() => native.listAdapters())).map(({ name }) => name);
}

/** What is known of a GPU without opening it. Error gpu.no-adapter. */
export async function findGpu(name: string): Promise<GpuFacts> {
  const adapters = await translated(() => native.listAdapters());
  const found = adapters.find((adapter) => adapter.name === name);
  if (!found) throw new TamisError('gpu.no-adapter', { adapter: name });
  return { name, driver: found.driver, memoryBytes: found.memoryBytes };
}

/** Whoever opens it closes it. Errors gpu.no-adapter, gpu.not-usable, gpu.failed: a GPU that cannot be had, or computes wrong. */
export async function openGpu(name: string): Promise<OpenGpu> {
  const own = tried.get(name);
  tried.delete(name);
  if (own) return own;
  const handle = await withBestTile(await translated(() => native.openGpu(name)));
  await closedOnFailure(handle, () => handle.selfTest());
  const { driver, memoryBytes } = handle.adapter;
  return { handle, name, driver, memoryBytes };
}

/** The tile is measured when a GPU is first used, and kept for this driver; it changes times only, no results. */
async function withBestTile(first: Gpu): Promise<Gpu> {
  const { name, driver } = first.adapter;
  const key = { name, driver, tiles: native.tiles() };
  const { value: tile } = await remembered('tile', key, z.enum(key.tiles), () =>
    closedOnFailure(first, () => first.bestTile()),
  );
  if (tile === first.tile) return first;
  await first.close();
  return await translated(() => native.openGpu(name, tile));
}

/** Tries something with a GPU that was just opened, and closes it where that fails. */
async function closedOnFailure<T>(gpu: Gpu, attempt: () => Promise<T>): Promise<T> {
  try {
    return await translated(attempt);
  } catch (error) {
    await gpu.close();
    throw error;
  }
}
