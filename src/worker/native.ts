import * as addon from '#native';

import { TamisError } from '../contract/errors.ts';
import type { ErrorCode } from '../contract/messages/en.ts';
import type { MessageParams } from '../contract/messages/params.ts';

export type {
  ArchiveWriter,
  Checkpoint,
  CompressedLayer,
  Control,
  DataFile,
  Divergence,
  Divergences,
  Drift,
  Factor,
  FileWriter,
  Gpu,
  Gram,
  PackedLayer,
  PackedPart,
  PruneOptions,
  QuantizationOptions,
  QuantizedLayer,
  ShardWriter,
  TensorInfo,
  TensorSpec,
  WeightName,
} from '#native';

/** The Rust core. Its errors carry a code and parameters as JSON: call it through `translated`. */
export const native = addon;

/** Numbers of the core that plans and bounds are made with: what it computes with, and how its files are laid out. */
export const constants = addon.constants();

// What holds memory or a file of its own gives it back at the end of the scope that declares it with `using`, whatever happens in it.
declare module '#native' {
  interface CompressedLayer {
    [Symbol.dispose](): void;
  }
  interface Divergences {
    [Symbol.dispose](): void;
  }
  interface Drift {
    [Symbol.dispose](): void;
  }
  interface Factor {
    [Symbol.dispose](): void;
  }
  interface Gram {
    [Symbol.dispose](): void;
  }
  interface ArchiveWriter {
    [Symbol.dispose](): void;
  }
  interface FileWriter {
    [Symbol.dispose](): void;
  }
  interface ShardWriter {
    [Symbol.dispose](): void;
  }
  interface Gpu {
    [Symbol.asyncDispose](): Promise<void>;
  }
}

for (const { prototype } of [addon.CompressedLayer, addon.Divergences, addon.Drift, addon.Factor, addon.Gram])
  onDispose(prototype, (owner) => owner.release());
for (const { prototype } of [addon.ArchiveWriter, addon.FileWriter, addon.ShardWriter])
  onDispose(prototype, (writer) => writer.abandon());
Object.defineProperty(addon.Gpu.prototype, Symbol.asyncDispose, {
  value(this: addon.Gpu) {
    return translated(() => this.close());
  },
});

function onDispose<T extends object>(prototype: T, free: (owner: T) => void): void {
  Object.defineProperty(prototype, Symbol.dispose, {
    value(this: T) {
      free(this);
    },
  });
}

/** What the addon threw, as the error that the rest of the product knows. */
export function fromNative(error: unknown): unknown {
  if (!(error instanceof Error) || !error.message.startsWith('{"code":')) return error;
  const { code, params } = JSON.parse(error.message) as { code: ErrorCode; params: MessageParams };
  return new TamisError(code, params);
}

/** Runs a call of the addon, synchronous or not, and translates what it throws. */
export async function translated<T>(call: () => T | Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw fromNative(error);
  }
}

/** How often it is asked how far a task has come. */
const ASK_MS = 100;

/** Runs a long task of the addon under a `Control` that the signal cancels; `onShare` hears what share of it is done, 1 at its end. */
export async function controlled<T>(
  signal: AbortSignal,
  task: (control: addon.Control) => Promise<T>,
  onShare?: (share: number) => void,
): Promise<T> {
  const control = new addon.Control();
  const cancel = (): void => control.cancel();
  if (signal.aborted) cancel();
  signal.addEventListener('abort', cancel, { once: true });
  const asking = onShare && setInterval(() => onShare(control.progress), ASK_MS);
  try {
    const done = await translated(() => task(control));
    onShare?.(1);
    return done;
  } finally {
    clearInterval(asking);
    signal.removeEventListener('abort', cancel);
  }
}

/** Threads of the addon's own pool; results do not depend on it. */
export async function setThreads(threads: number): Promise<void> {
  await translated(() => {
    native.setThreads(threads);
  });
}

/** One .safetensors file as tests and token files see it: shapes, and integers as exact numbers. */
export function openTensorFile(path: string): { tensors(): addon.TensorInfo[]; readI64(name: string): Float64Array } {
  try {
    return native.Checkpoint.openFile(path);
  } catch (error) {
    throw fromNative(error);
  }
}
