import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { exportFiles } from '../../contract/export-snippets.ts';
import { TamisError } from '../../contract/errors.ts';
import { failureOf, type Failure } from '../../contract/failure.ts';
import { readConfig } from '../families/config.ts';
import { attentionShape } from '../families/decoder.ts';
import { llamaConfigSchema } from '../families/llama.ts';
import { readConfigFile } from '../model/open.ts';
import { controlled, native, translated, type FileWriter, type TensorInfo } from '../native.ts';
import { openFolder } from './export-folder.ts';
import type { FinishedRun } from './finished-run.ts';
import { first, scattered, zeroWarnings } from './fit.ts';
import type { ExportFile, Format, Source, Writing } from './format.ts';
import {
  ALIGNMENT,
  aligned,
  ggufHeader,
  readGgufHeader,
  type GgmlType,
  type GgufTensor,
  type GgufValue,
} from './gguf-header.ts';
import { ggufName, isDerived, llamaMetadata, rowsInCheckpoint, rowsInFile, turnedHeads } from './gguf-llama.ts';
import { tokenizerMetadata } from './gguf-tokenizer.ts';
import { assertShape, storageOf } from './packed-source.ts';
import { partBytes } from './packed-layers.ts';
import { companionFiles, copiedFile } from './plain-files.ts';
import { manifestFile } from './weight-files.ts';

const format = 'gguf';
/** Weights that share a scale in the file. */
const BLOCK = 32;

/**
 * One file for llama.cpp (docs/formats.md). Layers whose groups are wider than a block repeat their scales; codes of 2 and 3 bits are
 * stored in 4. What is not quantized keeps its dtype, but for vectors, which are float32.
 */
export const gguf: Format = {
  format,
  refusal: async (run) =>
    otherFamily(run) ?? unknownTensor(run) ?? scattered(run, format) ?? misfit(run) ?? (await tokenizerRefusal(run)),
  warnings: (run) => [
    ...(existsSync(join(run.folder, 'tokenizer.json')) ? [] : [{ code: 'export.no-tokenizer' as const, params: {} }]),
    ...zeroWarnings(run),
  ],
  async files(run) {
    return [
      await modelFile(run),
      await copiedFile(run.folder, 'config.json'),
      manifestFile(run, format, new Set([...run.model.tensors.keys()].filter(isDerived))),
      ...(await companionFiles(run.folder)),
    ];
  },
  open: (folder) => openFolder(folder, openGguf),
};

function otherFamily({ model }: FinishedRun): Failure | null {
  const { family } = model.family;
  return family === 'llama' ? null : { code: 'export.family', params: { family: family.toUpperCase() } };
}

function unknownTensor({ model }: FinishedRun): Failure | null {
  const name = [...model.tensors.keys()].find((each) => ggufName(each) === null && !isDerived(each));
  return name === undefined ? null : { code: 'export.tensor', params: { format, name } };
}

function misfit({ layers }: FinishedRun): Failure | null {
  const narrow = first(layers, ({ cols }) => cols % BLOCK !== 0);
  if (narrow) {
    const { name, cols } = narrow;
    return { code: 'export.block-columns', params: { format, layer: name, cols, block: BLOCK } };
  }
  const wide = first(layers, ({ symmetric, bits }) => !symmetric && bits > 4);
  if (wide) return { code: 'export.asymmetric-bits', params: { layer: wide.name, bits: wide.bits } };
  const pruned = first(layers, ({ symmetric, isPruned }) => !symmetric && isPruned);
  return pruned && { code: 'export.asymmetric-pruned', params: { layer: pruned.name } };
}

async function tokenizerRefusal({ model }: FinishedRun): Promise<Failure | null> {
  try {
    await tokenizerMetadata(model);
    return null;
  } catch (error) {
    if (error instanceof TamisError) return failureOf(error);
    throw error;
  }
}

interface Placed extends GgufTensor {
  readonly info: TensorInfo;
  readonly bytes: number;
}

async function modelFile(run: FinishedRun): Promise<ExportFile> {
  const tensors = placed(run);
  const header = ggufHeader(await metadata(run), tensors);
  const last = tensors.at(-1);
  const dataBytes = last ? aligned(last.offset + last.bytes) : 0;
  return {
    path: exportFiles.gguf,
    bytes: header.length + dataBytes,
    async write(to, writing) {
      await writeGguf(run, { to, header, tensors }, writing);
      const layers = new Set(run.report.layers.map(({ name }) => `${name}.weight`));
      const ofLayers = tensors.filter(({ info }) => layers.has(info.name));
      return { layerBytes: ofLayers.reduce((sum, { bytes }) => sum + aligned(bytes), 0) };
    },
  };
}

function placed(run: FinishedRun): Placed[] {
  let end = 0;
  return [...run.model.tensors.values()].flatMap((info) => {
    const name = ggufName(info.name);
    if (name === null) return [];
    const type = typeOf(run, info);
    const bytes = bytesOf(run, info, type);
    const offset = end;
    end = aligned(offset + bytes);
    return [{ name, type, shape: info.shape, offset, info, bytes }];
  });
}

function typeOf({ layers }: FinishedRun, { name, dtype, shape }: TensorInfo): GgmlType {
  const layer = layers.get(name.replace(/\.weight$/, ''));
  if (layer) {
    if (layer.bits === 8) return 'q8_0';
    return layer.symmetric ? 'q4_0' : 'q4_1';
  }
  return shape.length === 1 ? 'F32' : storageOf({ name, dtype });
}

function bytesOf({ layers }: FinishedRun, { name, shape, bytes }: TensorInfo, type: GgmlType): number {
  const layer = layers.get(name.replace(/\.weight$/, ''));
  if (layer && (type === 'q4_0' || type === 'q4_1' || type === 'q8_0')) return partBytes(layer, { part: type });
  return type === 'F32' ? 4 * shape.reduce((a, b) => a * b, 1) : bytes;
}

/** llama.cpp's number for the type that most of a file has. */
const fileTypes: Readonly<Record<GgmlType, number>> = { F32: 0, F16: 1, q4_0: 2, q4_1: 3, q8_0: 7, BF16: 32 };

async function metadata(run: FinishedRun): Promise<Record<string, GgufValue>> {
  const { model, report, layers } = run;
  const [layer] = layers.values();
  const info = model.tensors.get(`${layer?.name ?? ''}.weight`);
  const type = info ? typeOf(run, info) : model.dtype;
  return {
    'general.architecture': { string: 'llama' },
    'general.type': { string: 'model' },
    'general.name': { string: report.model.name },
    'general.alignment': { u32: ALIGNMENT },
    'general.file_type': { u32: fileTypes[type] },
    'general.quantization_version': { u32: 2 },
    ...llamaMetadata(model),
    ...((await tokenizerMetadata(model)) ?? { 'tokenizer.ggml.model': { string: 'no_vocab' } }),
  };
}

interface GgufFile {
  readonly to: string;
  readonly header: Uint8Array;
  readonly tensors: readonly Placed[];
}

async function writeGguf(run: FinishedRun, { to, header, tensors }: GgufFile, writing: Writing): Promise<void> {
  const writer = await translated(() => new native.FileWriter(to));
  try {
    await translated(() => {
      writer.append(header);
    });
    writing.onBytes(header.length);
    for (const tensor of tensors) {
      await writeTensor(run, writer, tensor, writing.signal);
      await translated(() => {
        writer.align(ALIGNMENT);
      });
      writing.onBytes(aligned(tensor.bytes));
    }
    await translated(() => writer.finish());
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

async function writeTensor(
  run: FinishedRun,
  writer: FileWriter,
  { info, type }: Placed,
  signal: AbortSignal,
): Promise<void> {
  const { model } = run;
  const heads = turnedHeads(model.family.attention, info.name);
  const rows = heads === null ? undefined : rowsInFile(heads, model.family.attention.size);
  const layer = run.layers.get(info.name.replace(/\.weight$/, ''));
  if (layer && (type === 'q4_0' || type === 'q4_1' || type === 'q8_0')) {
    const opened = await run.open(layer);
    const part = { part: type, ...(rows && { rows }) };
    await controlled(signal, (control) => writer.appendPacked(opened, part, control));
    return;
  }
  const dtype = type === 'F16' || type === 'BF16' ? type : 'F32';
  await controlled(signal, (control) =>
    writer.appendTensor(model.checkpoint, { name: info.name }, dtype, rows, control),
  );
}

/** Reads a tensor of the file as blocks or plain numbers; rows come back in the checkpoint's order. */
async function openGguf(folder: string): Promise<Source> {
  const path = join(folder, exportFiles.gguf);
  const { tensors, dataStart } = readGgufHeader(path);
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const file = await translated(() => native.DataFile.open(path));
  const attention = attentionShape(readConfig({ folder, config: readConfigFile(folder) }, llamaConfigSchema));
  return {
    async write(writer, tensor, signal) {
      const held = byName.get(ggufName(tensor.name) ?? '');
      if (!held) throw new TamisError('checkpoint.tensor-missing', { path, name: tensor.name });
      assertShape(tensor, held.shape);
      const [rows = 1, cols = 1] = held.shape;
      const packed = await translated(() =>
        native.PackedLayer.ggml(file, { type: held.type, offset: dataStart + held.offset, rows, cols }),
      );
      const heads = turnedHeads(attention, tensor.name);
      const order = heads === null ? undefined : rowsInCheckpoint(heads, attention.size);
      await controlled(signal, (control) =>
        writer.unpack({ name: tensor.name }, packed, storageOf(tensor), order, control),
      );
    },
  };
}
