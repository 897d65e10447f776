import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { z } from 'zod';

import { exportFiles } from '../../../contract/export-formats.ts';
import { exportManifestSchema } from '../../../contract/exports.ts';
import { parseJson } from '../../../disk/json.ts';
import { companions } from '../../model/companions.ts';
import { constants, controlled, native, translated, type ArchiveWriter, type TensorInfo } from '../../native.ts';
import { archiveBound, type BoundedSection, type Matrix } from './bound.ts';
import type { CompressedRun } from '../finished-run.ts';
import type { ExportFile, Format, Opened, Writing } from '../format.ts';
import { bytesFile } from '../plain-files.ts';
import { exportManifest, manifestName, weightFiles, type HeldTensor } from '../weight-files.ts';

/** Our own packed archive (docs/formats.md): one file that holds all of the model's folder, zeros left out. */
export const tamis: Format = {
  format: 'tamis',
  refusal: () => Promise.resolve(null),
  warnings: () => [],
  files: async (run) => [await archiveFile(run)],
  open: (folder) => openArchive(join(folder, exportFiles.tamis)),
};

interface Piece {
  readonly section: BoundedSection;
  readonly isOfLayer: boolean;
  add(archive: ArchiveWriter, signal: AbortSignal): Promise<void>;
}

/** The archive of a run, before it is written. */
export async function archiveFile(run: CompressedRun): Promise<ExportFile> {
  const tensors = [...weightFiles(run).values()].flat();
  const pieces = [...(await filePieces(run)), ...tensors.map((tensor) => tensorPiece(run, tensor))];
  const bytes = archiveBound(pieces.map(({ section }) => section));
  return {
    path: exportFiles.tamis,
    bytes,
    async write(to, writing) {
      const { written, layerBytes } = await writeArchive(to, pieces, writing);
      writing.onBytes(bytes - written);
      return { layerBytes };
    },
  };
}

/** What `unpack` must know, and the model's small files. */
async function filePieces(run: CompressedRun): Promise<Piece[]> {
  const names = (await readdir(run.folder)).filter((name) => companions.test(name)).sort();
  const manifest = Buffer.from(JSON.stringify(exportManifest(run, 'tamis')));
  const files = await Promise.all(names.map(async (name) => [name, await readFile(join(run.folder, name))] as const));
  return [[manifestName, manifest] as const, ...files].map(([name, content]) => ({
    section: { kind: 'file', name, bytes: content.length },
    isOfLayer: false,
    add: (archive) => translated(() => archive.addFile(name, content)),
  }));
}

function tensorPiece(run: CompressedRun, { info, isOfLayer }: HeldTensor): Piece {
  const { name, dtype, shape, bytes } = info;
  const { checkpoint } = run.model;
  const layer = run.layers.get(name.replace(/\.weight$/, ''));
  const matrix = matrixOf(run, layer?.transposed ? { ...info, shape: shape.toReversed() } : info);
  if (layer && matrix)
    return {
      section: { kind: 'codes', ...matrix, coding: { ...layer, groupSize: layer.groupSize ?? layer.cols } },
      isOfLayer,
      async add(archive, signal) {
        const opened = await run.open(layer);
        await controlled(signal, (control) => archive.addLayer(opened, control));
      },
    };
  if (matrix)
    return {
      section: { kind: 'values', ...matrix, size: dtype === 'F32' ? 4 : 2 },
      isOfLayer,
      add: (archive, signal) => controlled(signal, (control) => archive.addSparse(checkpoint, name, control)),
    };
  return {
    section: { kind: 'tensor', name, dtype, dimensions: shape.length, bytes },
    isOfLayer,
    add: (archive) => translated(() => archive.addTensor(checkpoint, name)),
  };
}

/** A matrix that the archive can code, as far as it is known what of it is not zero; null of other tensors. */
function matrixOf({ report }: CompressedRun, { name, dtype, shape }: TensorInfo): Matrix | null {
  const [rows = 0, cols = 0] = shape;
  const isCoded = dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
  if (shape.length !== 2 || cols > constants.archive.widestMatrix || !isCoded) return null;
  const sparsity = report.layers.find((layer) => `${layer.name}.weight` === name)?.sparsity ?? 0;
  return { name, dtype, rows, cols, kept: Math.round((1 - sparsity) * rows * cols) };
}

async function writeArchive(
  to: string,
  pieces: readonly Piece[],
  { signal, onBytes }: Writing,
): Promise<{ written: number; layerBytes: number }> {
  using archive = await translated(() => new native.ArchiveWriter(to));
  let [written, layerBytes] = [0, 0];
  for (const piece of pieces) {
    signal.throwIfAborted();
    await piece.add(archive, signal);
    const bytes = archive.position - written;
    written += bytes;
    if (piece.isOfLayer) layerBytes += bytes;
    onBytes(bytes);
  }
  await translated(() => archive.finish());
  return { written, layerBytes };
}

/** Opens an archive, which is complete in itself. Errors: archive.*, file.*. */
export async function openArchive(path: string): Promise<Opened> {
  const archive = await translated(() => native.Archive.open(path));
  const names = archive.sections().flatMap(({ kind, name }) => (kind === 'file' ? [name] : []));
  const text = async (name: string): Promise<string> => (await translated(() => archive.readFile(name))).toString();
  const others = names.filter((name) => companions.test(name) && name !== 'config.json');
  const manifest = parseJson(path, await text(manifestName), exportManifestSchema);
  return {
    manifest,
    config: parseJson(path, await text('config.json'), z.record(z.string(), z.unknown())),
    companions: await Promise.all(
      others.map(async (name) => bytesFile(name, await translated(() => archive.readFile(name)))),
    ),
    source: {
      async write(writer, { name }, signal) {
        const weight = { name, transposed: manifest.layers[name.replace(/\.weight$/, '')]?.transposed };
        await controlled(signal, (control) => writer.unpackFrom(weight, archive, control));
      },
    },
  };
}
