import { controlled, native, translated, type PackedPart } from '../native.ts';
import type { CodedLayer, FinishedRun } from './finished-run.ts';
import { shardFile, type ShardTensor } from './shard-file.ts';
import type { ExportFile } from './format.ts';
import { jsonFile } from './plain-files.ts';
import { weightFiles, type HeldTensor } from './weight-files.ts';

/** A tensor that takes the place, or a part of it, of a layer's weight. */
export interface LayerPart {
  /** Put behind the layer's name. */
  readonly suffix: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** The native writer's part, or plain bytes. */
  readonly content: PackedPart['part'] | Uint8Array;
}

/** The run's weight files with each quantized layer's weight replaced by its parts, and their index. */
export function packedFiles(run: FinishedRun, partsOf: (layer: CodedLayer) => readonly LayerPart[]): ExportFile[] {
  const shards = [...weightFiles(run)].map(
    ([file, tensors]) => [file, tensors.flatMap((tensor) => replaced(run, tensor, partsOf))] as const,
  );
  const weightMap = shards.flatMap(([file, tensors]) => tensors.map(({ name }) => [name, file] as const));
  const size = shards.flatMap(([, tensors]) => tensors).reduce((sum, { bytes }) => sum + bytes, 0);
  return [
    ...shards.map(([file, tensors]) => shardFile(file, tensors)),
    jsonFile('model.safetensors.index.json', {
      metadata: { total_size: size },
      weight_map: Object.fromEntries(weightMap),
    }),
  ];
}

function replaced(
  run: FinishedRun,
  { info, isOfLayer }: HeldTensor,
  partsOf: (layer: CodedLayer) => readonly LayerPart[],
): ShardTensor[] {
  const layer = run.layers.get(info.name.replace(/\.weight$/, ''));
  if (layer) return partsOf(layer).map((part) => layerTensor(run, layer, part));
  const { name, dtype, shape, bytes } = info;
  const write: ShardTensor['write'] = (writer) => translated(() => writer.copy(name, run.model.checkpoint));
  return [{ name, dtype, shape, bytes, isOfLayer, write }];
}

function layerTensor(run: FinishedRun, layer: CodedLayer, { suffix, dtype, shape, content }: LayerPart): ShardTensor {
  const name = `${layer.name}.${suffix}`;
  const bytes = typeof content === 'string' ? partBytes(layer, { part: content }) : content.length;
  return {
    name,
    dtype,
    shape,
    bytes,
    isOfLayer: true,
    async write(writer, signal) {
      if (typeof content !== 'string') {
        await translated(() => {
          writer.append(name, content);
        });
        return;
      }
      const opened = await run.open(layer);
      await controlled(signal, (control) => writer.pack(name, opened, { part: content }, control));
    },
  };
}

/** Bytes that a part of a layer comes to. */
export function partBytes({ rows, cols, bits, groupSize }: CodedLayer, part: PackedPart): number {
  return native.packedBytes({ rows, cols, bits, groupSize: groupSize ?? 0 }, part);
}

/** Groups of a row. */
export function groupsOf({ cols, groupSize }: CodedLayer): number {
  return groupSize === null ? 1 : Math.ceil(cols / groupSize);
}
