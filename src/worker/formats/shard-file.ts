import { native, translated, type ShardWriter, type TensorSpec } from '../native.ts';
import type { ExportFile, Writing } from './format.ts';

/** A tensor of a .safetensors file, before it is written. */
export interface ShardTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** Whether it is a part of a compressed layer. */
  readonly isOfLayer: boolean;
  write(writer: ShardWriter, signal: AbortSignal): Promise<void>;
}

/** A .safetensors file of these tensors, in this order. */
export function shardFile(path: string, tensors: readonly ShardTensor[]): ExportFile {
  const header = native.shardHeaderBytes(declared(tensors));
  const bytes = header + sum(tensors);
  return {
    path,
    bytes,
    async write(to, writing) {
      await writeShard(to, tensors, writing);
      writing.onBytes(header);
      const hasLayers = tensors.some(({ isOfLayer }) => isOfLayer);
      return { layerBytes: hasLayers ? bytes - sum(tensors.filter(({ isOfLayer }) => !isOfLayer)) : 0 };
    },
  };
}

export async function writeShard(
  to: string,
  tensors: readonly Omit<ShardTensor, 'isOfLayer'>[],
  { signal, onBytes }: Writing,
): Promise<void> {
  using writer = await translated(() => new native.ShardWriter(to, declared(tensors)));
  for (const tensor of tensors) {
    signal.throwIfAborted();
    await tensor.write(writer, signal);
    onBytes(tensor.bytes);
  }
  await translated(() => writer.finish());
}

function declared(tensors: readonly Pick<ShardTensor, 'name' | 'dtype' | 'shape'>[]): TensorSpec[] {
  return tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape: [...shape] }));
}

function sum(tensors: readonly ShardTensor[]): number {
  return tensors.reduce((total, { bytes }) => total + bytes, 0);
}
