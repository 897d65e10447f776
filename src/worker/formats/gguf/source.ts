import { join } from 'node:path';

import { TamisError } from '../../../contract/errors.ts';
import { exportFiles } from '../../../contract/export-formats.ts';
import type { ExportManifest } from '../../../contract/exports.ts';
import { openFamily } from '../../families/index.ts';
import { readConfigFile } from '../../model/open.ts';
import { controlled, native, translated } from '../../native.ts';
import type { Source } from '../format.ts';
import { inverseOf, mappedShape, requireGguf, type GgufDescription } from '../../families/gguf.ts';
import { readGgufHeader } from './header.ts';
import { assertShape, storageOf } from '../packed-source.ts';

/** Weights of norms that the file holds with one added, as the run has them: the sum is rounded. */
export const normsFile = 'norms.safetensors';

/** Reads a tensor of the file as blocks or plain numbers; rows come back in the checkpoint's order. */
export async function openGguf(folder: string, manifest: ExportManifest): Promise<Source> {
  const path = join(folder, exportFiles.gguf);
  const { tensors, dataStart } = readGgufHeader(path);
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const file = await translated(() => native.DataFile.open(path));
  const { mappings } = describedBy(folder, manifest);
  return {
    async write(writer, tensor, signal) {
      const [mapping] = mappings(tensor.name);
      if (mapping?.plus) {
        const norms = await translated(() => native.Checkpoint.openFile(join(folder, normsFile)));
        await translated(() => writer.copy(tensor.name, norms));
        return;
      }
      const held = mapping && byName.get(mapping.name);
      if (!held) throw new TamisError('checkpoint.tensor-missing', { path, name: tensor.name });
      assertShape({ ...tensor, shape: mappedShape(mapping, tensor.shape) }, held.shape);
      const [rows = 1, cols = 1] = held.shape;
      const packed = await translated(() =>
        native.PackedLayer.ggml(file, { type: held.type, offset: dataStart + held.offset, rows, cols }),
      );
      const weight = { name: tensor.name, transposed: mapping.transposed };
      const order = mapping.rows && inverseOf(mapping.rows);
      await controlled(signal, (control) => writer.unpack(weight, packed, storageOf(tensor), order, control));
    },
  };
}

/** How llama.cpp has the model that an export was made of, which config.json and the manifest tell. */
function describedBy(folder: string, { shards }: ExportManifest): GgufDescription {
  const config = readConfigFile(folder);
  const named = Object.values(shards).flatMap((tensors) => Object.entries(tensors));
  const tensors = new Map(named.map(([name, info]) => [name, { name, ...info, file: '', offset: 0 }]));
  return requireGguf(openFamily({ folder, config, tensors }));
}
