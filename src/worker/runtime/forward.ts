import { Tensor } from 'onnxruntime-node';

import { weightShape } from '../families/family.ts';
import { GraphBuilder, type Rows, type Value } from '../graph/builder.ts';
import { logSumExp, pick } from '../graph/operations.ts';
import { windows } from '../graph/tokens.ts';
import type { Weights } from '../model/weights.ts';
import { Session, type SessionOptions } from './session.ts';
import type { TensorInfo } from '../native.ts';

/** Logits of one slice are at most this many tokens times the vocabulary. */
export const HEAD_TOKENS = 256;
/** A run of a block has about so many tokens: large enough for the products, small enough for the cache. */
const RUN_TOKENS = 2048;

/** Sequences in one run of a graph: fixed by their length, because a row's result may depend on the batch around it. */
export function batchSequences(seqlen: number): number {
  return Math.max(1, Math.floor(RUN_TOKENS / seqlen));
}

export interface Embed extends AsyncDisposable {
  /** ids [n * seqlen] -> [n * seqlen, hidden]; the array is its own until the next run. */
  run(ids: Int32Array): Promise<Float32Array>;
}

/** Token and position embeddings. Always on the CPU: it looks rows up, and no device should hold the table for that. */
export async function openEmbed(model: Weights, options: { threads: number; seqlen: number }): Promise<Embed> {
  const { family } = model;
  const g = new GraphBuilder(model.tensors);
  g.output('output', family.embed(g, g.input('ids', 'int32', ['tokens']), windows(g, options.seqlen)));
  const session = await Session.open(g.build(), { device: 'cpu', threads: options.threads });
  const buffers = new Buffers(new Map([['output', family.hidden]]));
  return {
    async run(ids) {
      const output = buffers.views(ids.length).get('output') ?? new Float32Array(0);
      await session.run({ ids: new Tensor('int32', ids, [ids.length]) }, { output: rows(output, ids.length) });
      return output;
    },
    async [Symbol.asyncDispose]() {
      await session[Symbol.asyncDispose]();
      buffers.free();
    },
  };
}

export interface BlockOptions extends SessionOptions {
  readonly seqlen: number;
  /** Tensors that take the place of the checkpoint's own, by name: a finished block's. */
  readonly weights?: ReadonlyMap<string, TensorInfo>;
  /** Give the inputs of the layers out, all; or of taps and sums those named. Without `output` nothing is computed after the last of them. */
  readonly taps: boolean | ReadonlySet<string>;
  readonly output: boolean;
}

/** The arrays belong to the block: they hold until its next run, and are gone when it is closed. */
export interface BlockResult {
  /** [tokens, hidden]. */
  readonly output?: Float32Array;
  /** By name: [tokens, cols] of a tap, [tokens, rows] of a sum. */
  readonly taps: ReadonlyMap<string, Float32Array>;
}

export interface Block extends AsyncDisposable {
  /** x [tokens, hidden], whole sequences. */
  run(x: Float32Array): Promise<BlockResult>;
}

/** One decoder block, with its weights and nothing else in memory. */
export async function openBlock(model: Weights, index: number, options: BlockOptions): Promise<Block> {
  const { family } = model;
  const tensors = options.weights ? new Map([...model.tensors, ...options.weights]) : model.tensors;
  const g = new GraphBuilder(tensors);
  const widths = new Map<string, number>();
  const layers = family.layers(index).map((layer) => ({ ...layer, ...weightShape(layer, tensors) }));
  const taps = new Map(layers.map((layer) => [layer.tap, layer.cols]));
  const sums = new Map(layers.map((layer) => [layer.sum, layer.rows]));
  const wanted = typeof options.taps === 'boolean' ? new Set(options.taps ? taps.keys() : []) : options.taps;
  const tap = (name: string, value: Value): void => {
    if (!wanted.has(name)) return;
    g.output(name, value);
    widths.set(name, taps.get(name) ?? sums.get(name) ?? 0);
  };
  const x = g.input('x', 'float32', ['tokens', family.hidden]);
  const output = family.block(g, index, x, windows(g, options.seqlen), tap);
  if (options.output) {
    g.output('output', output);
    widths.set('output', family.hidden);
  }
  const session = await Session.open(g.build(), options, options.taps === false ? 'spin' : 'stop');
  const buffers = new Buffers(widths);
  return {
    async run(x) {
      const tokens = x.length / family.hidden;
      const results = buffers.views(tokens);
      const tensorsOut = Object.fromEntries([...results].map(([name, data]) => [name, rows(data, tokens)]));
      await session.run({ x: rows(x, tokens) }, tensorsOut);
      const { output: out, ...taps } = Object.fromEntries(results);
      return { ...(out && { output: out }), taps: new Map(Object.entries(taps)) };
    },
    async [Symbol.asyncDispose]() {
      await session[Symbol.asyncDispose]();
      buffers.free();
    },
  };
}

/** What a range of the vocabulary tells about each token's target; all [tokens]. */
export interface HeadResult {
  /** log sum(exp(logit)) over the range. */
  readonly logSum: Float32Array;
  /** The highest logit of the range. */
  readonly max: Float32Array;
  /** The target's logit; of a target outside the range, any logit. */
  readonly target: Float32Array;
}

export interface Head extends AsyncDisposable {
  /** x [tokens, hidden], targets [tokens]. */
  run(x: Float32Array, targets: Int32Array): Promise<HeadResult>;
}

/** Final norm and a range of the vocabulary, in slices of at most 256 tokens. */
export async function openHead(model: Weights, vocabulary: Rows, options: SessionOptions): Promise<Head> {
  const { family } = model;
  const g = new GraphBuilder(model.tensors);
  const logits = family.logits(g, family.norm(g, g.input('x', 'float32', ['tokens', family.hidden])), vocabulary);
  const { logSum, max } = logSumExp(g, logits);
  g.output('logSum', logSum);
  g.output('max', max);
  g.output('target', pick(g, logits, g.input('targets', 'int32', ['tokens'])));
  const session = await Session.open(g.build(), options);
  const inRange = (id: number): number => (id >= vocabulary.start && id < vocabulary.end ? id - vocabulary.start : 0);
  return {
    async run(x, targets) {
      const made = (): Float32Array<ArrayBuffer> => new Float32Array(targets.length);
      const result = { logSum: made(), max: made(), target: made() };
      for (let start = 0; start < targets.length; start += HEAD_TOKENS) {
        const end = Math.min(start + HEAD_TOKENS, targets.length);
        const slice = rows(x.subarray(start * family.hidden, end * family.hidden), end - start);
        const ids = new Tensor('int32', targets.subarray(start, end).map(inRange), [end - start]);
        const outputs = {
          logSum: column(result.logSum.subarray(start, end)),
          max: column(result.max.subarray(start, end)),
          target: column(result.target.subarray(start, end)),
        };
        await session.run({ x: slice, targets: ids }, outputs);
      }
      return result;
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

export interface Logits extends AsyncDisposable {
  /** x [tokens, hidden], at most 256 tokens -> [tokens, rows]; the array is its own until the next run. */
  run(x: Float32Array): Promise<Float32Array>;
}

/** Final norm and the logits of a range of the vocabulary. */
export async function openLogits(model: Weights, vocabulary: Rows, options: SessionOptions): Promise<Logits> {
  const { family } = model;
  const width = vocabulary.end - vocabulary.start;
  const g = new GraphBuilder(model.tensors);
  g.output('logits', family.logits(g, family.norm(g, g.input('x', 'float32', ['tokens', family.hidden])), vocabulary));
  const session = await Session.open(g.build(), options);
  const buffers = new Buffers(new Map([['logits', width]]));
  return {
    async run(x) {
      const tokens = x.length / family.hidden;
      const logits = buffers.views(tokens).get('logits') ?? new Float32Array(0);
      await session.run({ x: rows(x, tokens) }, { logits: rows(logits, tokens) });
      return logits;
    },
    async [Symbol.asyncDispose]() {
      await session[Symbol.asyncDispose]();
      buffers.free();
    },
  };
}

/** One array for each result, made at the first run and used again: fresh memory costs more than the smaller operators. */
class Buffers {
  readonly #widths: ReadonlyMap<string, number>;
  #arrays = new Map<string, Float32Array<ArrayBuffer>>();
  #tokens = 0;

  constructor(widths: ReadonlyMap<string, number>) {
    this.#widths = widths;
  }

  /** For each result a view [tokens, width]. */
  views(tokens: number): Map<string, Float32Array> {
    if (tokens > this.#tokens) {
      this.#arrays = new Map([...this.#widths].map(([name, width]) => [name, new Float32Array(tokens * width)]));
      this.#tokens = tokens;
    }
    return new Map(
      [...this.#arrays].map(([name, data]) => [name, data.subarray(0, tokens * (this.#widths.get(name) ?? 0))]),
    );
  }

  /** Gives the memory back now: garbage collection sees only small objects and lets many blocks' arrays pile up. */
  free(): void {
    for (const { buffer } of this.#arrays.values()) buffer.transfer(0);
    this.#arrays = new Map();
    this.#tokens = 0;
  }
}

function rows(data: Float32Array, count: number): Tensor {
  return new Tensor('float32', data, [count, data.length / count]);
}

function column(data: Float32Array): Tensor {
  return new Tensor('float32', data, [data.length]);
}
