import path from 'node:path';

import type { Bits } from '../../../contract/recipe.ts';
import type { PackedWeight } from '../../graph/builder.ts';
import type { Model } from '../../model/open.ts';
import type { TensorInfo } from '../../native.ts';
import { wholeGraph } from '../../runtime/whole.ts';

/** How a layer was quantized. */
export interface LayerCodes {
  readonly bits: Bits;
  /** Columns that share a scale; null = the whole row. */
  readonly groupSize: number | null;
  readonly symmetric: boolean;
  /** The checkpoint holds the weight as [in, out]. */
  readonly transposed?: boolean;
}

/** Bytes of the data file: a tensor of the checkpoint in a dtype, or a part of a layer's codes. */
export type OnnxContent =
  | { readonly kind: 'dense'; readonly tensor: string; readonly dtype: OnnxDtype }
  | { readonly kind: 'codes'; readonly layer: string; readonly part: CodesPart; readonly blockSize: number };
export type CodesPart = 'nbits.b' | 'nbits.scales' | 'nbits.zero_points';
type OnnxDtype = 'F32' | 'F16';

export interface OnnxPiece {
  readonly content: OnnxContent;
  /** In the data file. */
  readonly offset: number;
  readonly bytes: number;
}

/** An export before it is written. */
export interface OnnxPlan {
  /** The graph's file. */
  readonly graph: Uint8Array;
  /** What the data file holds, in order. */
  readonly pieces: readonly OnnxPiece[];
  /** The data file's size. */
  readonly dataBytes: number;
}

/** Clients look for these names. */
export const onnxFolder = 'onnx';
export const graphFile = 'model.onnx';
export const dataFile = 'model.onnx_data';
/** Every piece begins at a multiple of so many bytes. */
export const dataAlignment = 64;
/** Where a whole row shares a scale it is repeated for blocks of so many columns: MatMulNBits takes none that are larger than 256. */
const CHANNEL_BLOCK = 128;

/** `layers`: the quantized ones by name. What they don't name stays as it is, bfloat16 as float32. */
export function planOnnx(model: Model, layers: ReadonlyMap<string, LayerCodes>): OnnxPlan {
  const contents = new Map<string, OnnxContent>();
  const tensors = new Map<string, TensorInfo>();
  const packed = new Map<string, PackedWeight>();
  for (const info of model.tensors.values()) {
    const layer = info.name.replace(/\.weight$/, '');
    const codes = layers.get(layer);
    const held = codes ? heldCodes(layer, codes, info) : [heldDense(info)];
    for (const { info: placed, content } of held) {
      tensors.set(placed.name, placed);
      contents.set(placed.name, content);
    }
    if (codes) packed.set(info.name, packedWeight(info, codes));
  }
  const pieces: OnnxPiece[] = [];
  let dataBytes = 0;
  const graph = wholeGraph({ family: model.family, tensors }, packed).build((info) => {
    const content = contents.get(info.name);
    if (!content) throw new Error('a tensor of the export');
    const offset = Math.ceil(dataBytes / dataAlignment) * dataAlignment;
    pieces.push({ content, offset, bytes: info.bytes });
    dataBytes = offset + info.bytes;
    return { ...info, file: path.resolve(dataFile), offset };
  });
  return { graph: graph.bytes, pieces, dataBytes };
}

interface Held {
  readonly info: TensorInfo;
  readonly content: OnnxContent;
}

/** onnxruntime does not compute in bfloat16 on the CPU; what it widens would take the float32 memory besides. */
function heldDense(info: TensorInfo): Held {
  const dtype = info.dtype === 'F16' ? 'F16' : 'F32';
  const elements = info.shape.reduce((a, b) => a * b, 1);
  return {
    info: { ...info, dtype, bytes: elements * (dtype === 'F16' ? 2 : 4) },
    content: { kind: 'dense', tensor: info.name, dtype },
  };
}

function packedWeight({ name, shape }: TensorInfo, codes: LayerCodes): PackedWeight {
  const [rows = 0, cols = 0] = codes.transposed ? shape.toReversed() : shape;
  const parts = { codes: `${name}.codes`, scales: `${name}.scales` };
  return {
    rows,
    cols,
    bits: storedBits(codes.bits),
    blockSize: blockSize(codes),
    parts: codes.symmetric ? parts : { ...parts, zeroPoints: `${name}.zero_points` },
  };
}

/** MatMulNBits' inputs: codes [rows, blocks, bytes of a block], float32 scales [rows, blocks], zero points [rows, bytes of a row]. */
function heldCodes(layer: string, codes: LayerCodes, info: TensorInfo): Held[] {
  const { rows, cols, bits, blockSize: block, parts } = packedWeight(info, codes);
  const blocks = Math.ceil(cols / block);
  const held = (name: string, part: CodesPart, dtype: 'U8' | 'F32', shape: number[]): Held => ({
    info: { ...info, name, dtype, shape, bytes: shape.reduce((a, b) => a * b, dtype === 'F32' ? 4 : 1) },
    content: { kind: 'codes', layer, part, blockSize: block },
  });
  return [
    held(parts.codes, 'nbits.b', 'U8', [rows, blocks, (block * bits) / 8]),
    held(parts.scales, 'nbits.scales', 'F32', [rows, blocks]),
    ...(parts.zeroPoints === undefined
      ? []
      : [held(parts.zeroPoints, 'nbits.zero_points', 'U8', [rows, Math.ceil((blocks * bits) / 8)])]),
  ];
}

/** Three bits go into four. */
function storedBits(bits: Bits): number {
  return bits === 3 ? 4 : bits;
}

function blockSize({ groupSize }: LayerCodes): number {
  return groupSize ?? CHANNEL_BLOCK;
}
