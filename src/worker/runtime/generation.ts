import { Tensor } from 'onnxruntime-node';

import type { AttentionShape } from '../graph/operations.ts';
import type { Session } from './session.ts';

/** Sizes of a graph with a cache (graph/cached.ts). */
export interface CachedShape {
  readonly blocks: number;
  readonly vocab: number;
  readonly attention: Pick<AttentionShape, 'kvHeads' | 'size'>;
}

/** One sequence through a graph with a cache, some tokens at a time. */
export class Generation implements Disposable {
  readonly #session: Session;
  readonly #shape: CachedShape;
  readonly #names: readonly string[];
  #past: ReadonlyMap<string, Tensor>;
  #length = 0;

  constructor(session: Session, shape: CachedShape) {
    this.#session = session;
    this.#shape = shape;
    this.#names = Array.from({ length: shape.blocks }, (_, block) => [`${block}.key`, `${block}.value`]).flat();
    this.#past = this.#kept(0);
  }

  /** The sequence's next tokens -> `logits` [tokens, vocab], which is filled. */
  async run(ids: Int32Array, logits: Float32Array): Promise<void> {
    const start = this.#length;
    const end = start + ids.length;
    const present = this.#kept(end);
    await this.#session.run(
      {
        input_ids: int64(Array.from(ids)),
        attention_mask: int64(new Array<number>(end).fill(1)),
        position_ids: int64(Array.from(ids, (_, i) => start + i)),
        ...named('past_key_values', this.#past),
      },
      { logits: new Tensor('float32', logits, [1, ids.length, this.#shape.vocab]), ...named('present', present) },
    );
    this[Symbol.dispose]();
    this.#past = present;
    this.#length = end;
  }

  /** Gives the cache's memory back now. */
  [Symbol.dispose](): void {
    for (const { data } of this.#past.values())
      if (data instanceof Float32Array && data.buffer instanceof ArrayBuffer) data.buffer.transfer(0);
    this.#past = new Map();
  }

  #kept(length: number): ReadonlyMap<string, Tensor> {
    const { kvHeads, size } = this.#shape.attention;
    const dims = [1, kvHeads, length, size];
    return new Map(
      this.#names.map((name) => [name, new Tensor('float32', new Float32Array(kvHeads * length * size), dims)]),
    );
  }
}

function named(prefix: string, tensors: ReadonlyMap<string, Tensor>): Record<string, Tensor> {
  return Object.fromEntries([...tensors].map(([name, tensor]) => [`${prefix}.${name}`, tensor]));
}

/** One row of a batch. */
function int64(values: readonly number[]): Tensor {
  return new Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
}
