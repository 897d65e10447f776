import type { ExportManifest } from '../../contract/exports.ts';
import { TamisError } from '../../contract/errors.ts';
import { controlled, native, translated, type Checkpoint, type PackedLayer } from '../native.ts';
import { openFolder } from './export-folder.ts';
import type { DenseTensor, Opened, Source } from './format.ts';

type LayerCoding = ExportManifest['layers'][string];
type OpenLayer = (checkpoint: Checkpoint, name: string, coding: LayerCoding) => PackedLayer;

/** A checkpoint with packed layers in the place of dense ones: those are unpacked, all else is copied. */
export async function openPacked(folder: string, openLayer: OpenLayer): Promise<Opened> {
  return await openFolder(folder, (_, manifest) => packedSource(folder, manifest, openLayer));
}

async function packedSource(folder: string, manifest: ExportManifest, openLayer: OpenLayer): Promise<Source> {
  const checkpoint = await translated(() => native.Checkpoint.open(folder));
  const tensors = new Map(checkpoint.tensors().map((info) => [info.name, info]));
  return {
    async write(writer, tensor, signal) {
      const layer = tensor.name.replace(/\.weight$/, '');
      const coding = manifest.layers[layer];
      if (coding) {
        const { transposed } = coding;
        const packed = await translated(() => openLayer(checkpoint, layer, coding));
        const { rows, cols } = packed;
        assertShape(tensor, transposed ? [cols, rows] : [rows, cols]);
        const weight = { name: tensor.name, transposed };
        await controlled(signal, (control) => writer.unpack(weight, packed, storageOf(tensor), null, control));
        return;
      }
      const info = tensors.get(tensor.name);
      if (!info) throw new TamisError('checkpoint.tensor-missing', { path: folder, name: tensor.name });
      assertShape(tensor, info.shape);
      await translated(() => writer.copy(tensor.name, checkpoint));
    },
  };
}

/** The dtype of a tensor that holds weights. */
export function storageOf({ name, dtype }: Pick<DenseTensor, 'name' | 'dtype'>): 'F32' | 'F16' | 'BF16' {
  if (dtype === 'F32' || dtype === 'F16' || dtype === 'BF16') return dtype;
  throw new TamisError('checkpoint.dtype', { name, dtype });
}

/** Error checkpoint.tensor-shape where a tensor is not what the manifest says. */
export function assertShape({ name, shape }: DenseTensor, found: readonly number[]): void {
  if (shape.length === found.length && shape.every((size, i) => size === found[i])) return;
  throw new TamisError('checkpoint.tensor-shape', { name, shape: found.join('x'), expected: shape.join('x') });
}
