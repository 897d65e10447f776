import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { fromBinary } from '@bufbuild/protobuf';
import {
  ModelProtoSchema,
  TensorProto_DataType as DataType,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from 'onnx-buf';

import { TamisError } from '../../../contract/errors.ts';
import type { ExportManifest } from '../../../contract/exports.ts';
import { readError } from '../../../disk/file-errors.ts';
import { controlled, native, translated, type DataFile, type PackedLayer } from '../../native.ts';
import type { DenseTensor, Source } from '../format.ts';
import { dataFile, graphFile, onnxFolder } from './plan.ts';
import { assertShape, storageOf } from '../packed-source.ts';

const storages = new Map<number, 'F32' | 'F16'>([
  [DataType.FLOAT, 'F32'],
  [DataType.FLOAT16, 'F16'],
]);

/** The weights of an ONNX export: those of MatMulNBits are unpacked, the others narrowed to what the run has. */
export async function onnxSource(folder: string, manifest: ExportManifest): Promise<Source> {
  const graph = await readGraph(join(folder, onnxFolder, graphFile));
  const data = await translated(() => native.DataFile.open(join(folder, onnxFolder, dataFile)));
  const stored = new Map((graph?.initializer ?? []).map((tensor) => [tensor.name, tensor]));
  const products = new Map(
    (graph?.node ?? []).filter(({ opType }) => opType === 'MatMulNBits').map((node) => [node.input[1] ?? '', node]),
  );
  const find = (name: string): TensorProto => {
    const tensor = stored.get(name);
    if (!tensor) throw new TamisError('checkpoint.tensor-missing', { path: folder, name });
    return tensor;
  };
  const open = (tensor: DenseTensor): PackedLayer => {
    const isCoded = Object.hasOwn(manifest.layers, layerOf(tensor));
    const product = products.get(`${tensor.name}.codes`);
    return isCoded && product ? codesOf(data, product, find) : plain(data, tensor, find(tensor.name));
  };
  return {
    async write(writer, tensor, signal) {
      const packed = await translated(() => open(tensor));
      const weight = { name: tensor.name, transposed: manifest.layers[layerOf(tensor)]?.transposed };
      await controlled(signal, (control) => writer.unpack(weight, packed, storageOf(tensor), null, control));
    },
  };
}

function layerOf({ name }: DenseTensor): string {
  return name.replace(/\.weight$/, '');
}

async function readGraph(file: string): Promise<ModelProto['graph']> {
  try {
    return fromBinary(ModelProtoSchema, await readFile(file)).graph;
  } catch (error) {
    throw readError(error, file);
  }
}

type Find = (name: string) => TensorProto;

function codesOf(data: DataFile, { input, attribute }: NodeProto, find: Find): PackedLayer {
  const [, codes = '', scales = '', zeroPoints = ''] = input;
  const numbers = new Map(attribute.map(({ name, i }) => [name, Number(i)]));
  const number = (name: string): number => numbers.get(name) ?? 0;
  return native.PackedLayer.nbits(data, {
    b: offsetOf(find(codes)),
    scales: offsetOf(find(scales)),
    ...(zeroPoints !== '' && { zeroPoints: offsetOf(find(zeroPoints)) }),
    rows: number('N'),
    cols: number('K'),
    bits: number('bits'),
    blockSize: number('block_size'),
  });
}

function plain(data: DataFile, tensor: DenseTensor, stored: TensorProto): PackedLayer {
  const shape = stored.dims.map(Number);
  assertShape(tensor, shape);
  const type = storages.get(stored.dataType);
  if (!type) throw new TamisError('checkpoint.dtype', { name: tensor.name, dtype: String(stored.dataType) });
  const cols = shape.at(-1) ?? 1;
  const rows = shape.slice(0, -1).reduce((a, b) => a * b, 1);
  return native.PackedLayer.ggml(data, { type, offset: offsetOf(stored), rows, cols });
}

/** In the data file. */
function offsetOf({ externalData }: TensorProto): number {
  return Number(externalData.find(({ key }) => key === 'offset')?.value ?? 0);
}
