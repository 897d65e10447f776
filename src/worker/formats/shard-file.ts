import { native, translated, type ShardWriter } from '../native.ts';
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
  const bytes = headerBytes(tensors) + sum(tensors);
  return {
    path,
    bytes,
    async write(to, writing) {
      await writeShard(to, tensors, writing);
      writing.onBytes(headerBytes(tensors));
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
  const declared = tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape: [...shape] }));
  const writer = await translated(() => new native.ShardWriter(to, declared));
  try {
    for (const tensor of tensors) {
      signal.throwIfAborted();
      await tensor.write(writer, signal);
      onBytes(tensor.bytes);
    }
    await translated(() => writer.finish());
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

/** Length, JSON and the spaces that make the data begin at a multiple of 8, as the native writer makes them. */
function headerBytes(tensors: readonly ShardTensor[]): number {
  const entries: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let begin = 0;
  for (const { name, dtype, shape, bytes } of tensors) {
    entries[name] = { dtype, shape, data_offsets: [begin, begin + bytes] };
    begin += bytes;
  }
  return 8 + Math.ceil(Buffer.byteLength(JSON.stringify(entries)) / 8) * 8;
}

function sum(tensors: readonly ShardTensor[]): number {
  return tensors.reduce((total, { bytes }) => total + bytes, 0);
}
