import { create, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProto_DataLocation as DataLocation,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
  ValueInfoProtoSchema,
  type AttributeProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from 'onnx-buf';

import { TamisError } from '../../contract/errors.ts';

import { commonFolder, locationIn } from './folder.ts';
import type { TensorInfo } from '../native.ts';

/** A tensor inside a graph, known by its name. */
export interface Value {
  readonly name: string;
}

/** A size known when the graph is built, or the name of one that a run decides. */
export type Dimension = number | string;
/** A whole number is written as an `int` attribute; give `{ float }` where the operator wants a `float`. */
export type Attribute = number | string | readonly number[] | { readonly float: number };
export interface Rows {
  readonly start: number;
  readonly end: number;
}

/** A weight as whole numbers, which a MatMulNBits takes as they are. */
export interface PackedWeight {
  readonly rows: number;
  readonly cols: number;
  readonly bits: number;
  readonly blockSize: number;
  /** Names of its parts among the weights; without zero points they are 2^(bits - 1). */
  readonly parts: { readonly codes: string; readonly scales: string; readonly zeroPoints?: string };
}

/** A finished graph: the ONNX model, and the folder its external data is relative to. */
export interface GraphFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly folder: string;
}

const OPSET = 17n;
const IR_VERSION = 8n;
const dataTypes: Readonly<Record<string, DataType>> = {
  U8: DataType.UINT8,
  F32: DataType.FLOAT,
  F16: DataType.FLOAT16,
  BF16: DataType.BFLOAT16,
};
const inputTypes = { float32: DataType.FLOAT, int32: DataType.INT32, int64: DataType.INT64 } as const;

/**
 * Builds one ONNX graph. Weights stay where they are: the graph points into the checkpoint's files and widens them
 * to float32. What no output needs is left out of the graph, with its weights.
 */
export class GraphBuilder {
  readonly #weights: ReadonlyMap<string, TensorInfo>;
  readonly #packed: ReadonlyMap<string, PackedWeight>;
  readonly #inputs: ValueInfoProto[] = [];
  readonly #outputs: ValueInfoProto[] = [];
  readonly #nodes: NodeProto[] = [];
  /** By the names of the values that are given out. */
  readonly #outputNames = new Map<string, string>();
  readonly #constants = new Map<string, TensorProto>();
  readonly #external = new Map<string, TensorInfo>();
  #count = 0;

  /** `packed`: by name, the weights that are there as whole numbers only. */
  constructor(weights: ReadonlyMap<string, TensorInfo>, packed: ReadonlyMap<string, PackedWeight> = new Map()) {
    this.#weights = weights;
    this.#packed = packed;
  }

  input(name: string, type: keyof typeof inputTypes, shape: readonly Dimension[]): Value {
    this.#inputs.push(valueInfo(name, inputTypes[type], shape));
    return { name };
  }

  /** Gives `value` (float32) out under `name`; its shape is written down where programs read it. */
  output(name: string, value: Value, shape?: readonly Dimension[]): void {
    const made = this.#nodes.some((node) => node.output.includes(value.name));
    // A node's result takes the name itself, which spares a copy; an input, or what has a name already, can't.
    if (made && !this.#outputNames.has(value.name)) this.#outputNames.set(value.name, name);
    else this.#nodes.push(create(NodeProtoSchema, { name, opType: 'Identity', input: [value.name], output: [name] }));
    this.#outputs.push(valueInfo(name, DataType.FLOAT, shape));
  }

  /** One operator with one result. `domain` '' is ONNX's own. */
  node(
    opType: string,
    inputs: readonly Value[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
  ): Value {
    const name = this.#fresh(opType);
    const attribute = Object.entries(attributes).map(([key, value]) => attributeProto(key, value));
    this.#nodes.push(
      create(NodeProtoSchema, { name, opType, domain, input: inputs.map((v) => v.name), output: [name], attribute }),
    );
    return { name };
  }

  /** A weight of the checkpoint as float32, all of it or a range of its rows. */
  weight(name: string, rows?: Rows): Value {
    const stored = this.storedWeight(name, rows);
    return this.#weight(name).dtype === 'F32'
      ? stored
      : this.#once(`${stored.name}.float32`, () => this.toFloat32(stored));
  }

  /** A weight in the checkpoint's own dtype, for graphs that widen only what they look up. */
  storedWeight(name: string, rows?: Rows): Value {
    const info = rows ? rowsOf(this.#weight(name), rows) : this.#weight(name);
    const key = rows ? `${name}[${rows.start}:${rows.end}]` : name;
    this.#external.set(key, info);
    return { name: key };
  }

  /** The parts of a weight that is there as whole numbers; undefined of another. */
  packed(name: string): PackedWeight | undefined {
    return this.#packed.get(name);
  }

  toFloat32(value: Value): Value {
    return this.node('Cast', [value], { to: DataType.FLOAT });
  }

  ints(values: readonly number[], shape: readonly number[] = [values.length]): Value {
    return this.#constant(DataType.INT64, shape, new BigInt64Array(values.map(BigInt)));
  }

  floats(values: Float32Array<ArrayBuffer>, shape: readonly number[] = [values.length]): Value {
    return this.#constant(DataType.FLOAT, shape, values);
  }

  /** `place`: where a file of the graph's own keeps a weight's bytes; each weight is asked for once. */
  build(place: (weight: TensorInfo, name: string) => TensorInfo = (weight) => weight): GraphFile {
    const nodes = neededNodes(
      this.#nodes.map((node) => renamed(node, this.#outputNames)),
      this.#outputs.map((o) => o.name),
    );
    const used = new Set(nodes.flatMap((n) => n.input));
    const external = [...this.#external]
      .filter(([name]) => used.has(name))
      .map(([name, info]): [string, TensorInfo] => [name, place(info, name)]);
    const folder = commonFolder(external.map(([, info]) => info.file));
    const initializer = [
      ...[...this.#constants].filter(([name]) => used.has(name)).map(([, tensor]) => tensor),
      ...external.map(([name, info]) => externalTensor(name, info, folder)),
    ];
    const graph = create(GraphProtoSchema, {
      name: 'tamis',
      node: nodes,
      initializer,
      input: this.#inputs,
      output: this.#outputs,
    });
    const opsetImport = [
      { domain: '', version: OPSET },
      { domain: 'com.microsoft', version: 1n },
    ];
    const model = create(ModelProtoSchema, { irVersion: IR_VERSION, producerName: 'tamis', opsetImport, graph });
    return { bytes: toBinary(ModelProtoSchema, model), folder };
  }

  readonly #made = new Map<string, Value>();
  #once(key: string, make: () => Value): Value {
    const value = this.#made.get(key) ?? make();
    this.#made.set(key, value);
    return value;
  }

  #weight(name: string): TensorInfo {
    const info = this.#weights.get(name);
    if (!info) throw new TamisError('internal', { detail: `the graph asks for a weight that is not there: ${name}` });
    return info;
  }

  #constant(
    dataType: DataType,
    shape: readonly number[],
    values: BigInt64Array<ArrayBuffer> | Float32Array<ArrayBuffer>,
  ): Value {
    const name = this.#fresh('constant');
    const rawData = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.#constants.set(name, create(TensorProtoSchema, { name, dataType, dims: shape.map(BigInt), rawData }));
    return { name };
  }

  #fresh(kind: string): string {
    return `${kind}_${this.#count++}`;
  }
}

function renamed(node: NodeProto, names: ReadonlyMap<string, string>): NodeProto {
  const rename = (name: string): string => names.get(name) ?? name;
  return { ...node, input: node.input.map(rename), output: node.output.map(rename) };
}

/** The nodes that `outputs` depend on, in order. */
function neededNodes(nodes: readonly NodeProto[], outputs: readonly string[]): NodeProto[] {
  const needed = new Set(outputs);
  const kept: NodeProto[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.output.some((name) => needed.has(name))) continue;
    for (const name of node.input) needed.add(name);
    kept.push(node);
  }
  return kept.reverse();
}

function rowsOf(info: TensorInfo, { start, end }: Rows): TensorInfo {
  const [rows = 1, ...rest] = info.shape;
  const rowBytes = info.bytes / rows;
  return {
    ...info,
    shape: [end - start, ...rest],
    offset: info.offset + start * rowBytes,
    bytes: (end - start) * rowBytes,
  };
}

function externalTensor(name: string, info: TensorInfo, folder: string): TensorProto {
  const dataType = dataTypes[info.dtype];
  if (dataType === undefined) throw new TamisError('checkpoint.dtype', { name, dtype: info.dtype });
  const externalData = [
    { key: 'location', value: locationIn(folder, info.file) },
    { key: 'offset', value: String(info.offset) },
    { key: 'length', value: String(info.bytes) },
  ];
  return create(TensorProtoSchema, {
    name,
    dataType,
    dims: info.shape.map(BigInt),
    externalData,
    dataLocation: DataLocation.EXTERNAL,
  });
}

function valueInfo(name: string, elemType: DataType, shape?: readonly Dimension[]): ValueInfoProto {
  const dim = shape?.map((d) =>
    typeof d === 'number'
      ? { value: { case: 'dimValue' as const, value: BigInt(d) } }
      : { value: { case: 'dimParam' as const, value: d } },
  );
  const tensorType = dim ? { elemType, shape: { dim } } : { elemType };
  return create(ValueInfoProtoSchema, { name, type: { value: { case: 'tensorType', value: tensorType } } });
}

function attributeProto(name: string, value: Attribute): AttributeProto {
  if (typeof value === 'number')
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) });
  if (typeof value === 'string') {
    return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) });
  }
  if ('float' in value) return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float });
  return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map(BigInt) });
}
