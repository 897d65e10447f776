import { basename } from 'node:path';

import type { ExportManifest } from '../../contract/exports.ts';
import type { TensorInfo } from '../native.ts';
import type { CompressedRun } from './finished-run.ts';
import { jsonFile } from './plain-files.ts';
import type { ExportFile } from './format.ts';

export interface HeldTensor {
  readonly info: TensorInfo;
  /** Whether it is the weight of a compressed layer. */
  readonly isOfLayer: boolean;
}

/** The tensors of a run's model by the file that holds them, in the files' order. */
export function weightFiles({ report, model }: CompressedRun): ReadonlyMap<string, readonly HeldTensor[]> {
  const layers = new Set(report.layers.map(({ name }) => `${name}.weight`));
  const files = new Map<string, HeldTensor[]>();
  const inOrder = [...model.tensors.values()].sort((a, b) => a.offset - b.offset);
  for (const info of inOrder) {
    const file = basename(info.file);
    files.set(file, [...(files.get(file) ?? []), { info, isOfLayer: layers.has(info.name) }]);
  }
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export const manifestName = 'tamis.json';

/** What `tamis unpack` must know of an export; `left`: tensors that the format does not hold. */
export function manifestFile(
  run: CompressedRun,
  format: ExportManifest['format'],
  left: ReadonlySet<string> = new Set(),
): ExportFile {
  return jsonFile(manifestName, exportManifest(run, format, left));
}

export function exportManifest(
  run: CompressedRun,
  format: ExportManifest['format'],
  left: ReadonlySet<string> = new Set(),
): ExportManifest {
  const shards = [...weightFiles(run)].map(([file, tensors]) => {
    const held = tensors.filter(({ info }) => !left.has(info.name));
    return [
      file,
      Object.fromEntries(held.map(({ info: { name, dtype, shape, bytes } }) => [name, { dtype, shape, bytes }])),
    ] as const;
  });
  const layers = [...run.layers.values()].map(
    ({ name, bits, groupSize, symmetric, transposed }) =>
      [name, { bits, groupSize, symmetric, ...(transposed && { transposed: true as const }) }] as const,
  );
  return { version: 1, format, shards: Object.fromEntries(shards), layers: Object.fromEntries(layers) };
}
