import { exportFiles } from '../../../contract/export-formats.ts';
import { controlled, native, translated, type FileWriter, type TensorInfo } from '../../native.ts';
import type { FinishedRun } from '../finished-run.ts';
import type { ExportFile, Writing } from '../format.ts';
import { mappedShape, requireGguf, type ExtraVector, type GgufValue, type TensorMapping } from '../../families/gguf.ts';
import { ALIGNMENT, aligned, ggufHeader, type GgmlType, type GgufTensor } from './header.ts';
import { tokenizerMetadata } from './tokenizer.ts';
import { partBytes } from '../packed-layers.ts';
import { storageOf } from '../packed-source.ts';

/** A tensor of the file: one of the checkpoint, or one that the checkpoint does not have. */
type Content = { readonly info: TensorInfo; readonly mapping: TensorMapping } | { readonly extra: ExtraVector };
type Placed = GgufTensor & { readonly content: Content; readonly bytes: number };

/** The model, its vocabulary and its settings. */
export async function modelFile(run: FinishedRun): Promise<ExportFile> {
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
      const ofLayers = tensors.filter(({ content }) => 'info' in content && layers.has(content.info.name));
      return { layerBytes: ofLayers.reduce((sum, { bytes }) => sum + aligned(bytes), 0) };
    },
  };
}

function placed(run: FinishedRun): Placed[] {
  const { model } = run;
  const gguf = requireGguf(model.family);
  const held = [...model.tensors.values()].flatMap((info) =>
    gguf.mappings(info.name).map((mapping) => {
      const type = typeOf(run, info);
      const shape = mappedShape(mapping, info.shape);
      return { name: mapping.name, type, shape, content: { info, mapping }, bytes: bytesOf(run, info, type) };
    }),
  );
  const extras = gguf.extras().map((extra) => {
    const { name, values } = extra;
    return { name, type: 'F32' as const, shape: [values.length], content: { extra }, bytes: values.byteLength };
  });
  let end = 0;
  return [...held, ...extras].map((tensor) => {
    const offset = end;
    end = aligned(offset + tensor.bytes);
    return { ...tensor, offset };
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
  const gguf = requireGguf(model.family);
  const [layer] = layers.values();
  const info = model.tensors.get(`${layer?.name ?? ''}.weight`);
  const type = info ? typeOf(run, info) : model.dtype;
  return {
    'general.architecture': { string: gguf.architecture },
    'general.type': { string: 'model' },
    'general.name': { string: report.model.name },
    'general.alignment': { u32: ALIGNMENT },
    'general.file_type': { u32: fileTypes[type] },
    'general.quantization_version': { u32: 2 },
    ...gguf.metadata(),
    ...((await tokenizerMetadata(model)) ?? { 'tokenizer.ggml.model': { string: 'no_vocab' } }),
  };
}

interface GgufFile {
  readonly to: string;
  readonly header: Uint8Array;
  readonly tensors: readonly Placed[];
}

async function writeGguf(run: FinishedRun, { to, header, tensors }: GgufFile, writing: Writing): Promise<void> {
  using writer = await translated(() => new native.FileWriter(to));
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
}

async function writeTensor(
  run: FinishedRun,
  writer: FileWriter,
  { content, type }: Placed,
  signal: AbortSignal,
): Promise<void> {
  if ('extra' in content) {
    await appended(writer, bytesIn(content.extra.values));
    return;
  }
  const { info, mapping } = content;
  const { model } = run;
  const layer = run.layers.get(info.name.replace(/\.weight$/, ''));
  if (layer && (type === 'q4_0' || type === 'q4_1' || type === 'q8_0')) {
    const opened = await run.open(layer);
    const part = { part: type, ...(mapping.rows && { rows: mapping.rows }) };
    await controlled(signal, (control) => writer.appendPacked(opened, part, control));
    return;
  }
  if (mapping.plus) {
    const { plus } = mapping;
    const values = await translated(() => model.checkpoint.readF32(info.name));
    await appended(writer, bytesIn(values.map((value) => value + plus)));
    return;
  }
  const weight = { name: info.name, transposed: mapping.transposed };
  const dtype = type === 'F16' || type === 'BF16' ? type : 'F32';
  await controlled(signal, (control) => writer.appendTensor(model.checkpoint, weight, dtype, mapping.rows, control));
}

function bytesIn({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

async function appended(writer: FileWriter, bytes: Uint8Array): Promise<void> {
  await translated(() => {
    writer.append(bytes);
  });
}
