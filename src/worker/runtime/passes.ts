import type { Activations } from '../machine/activations.ts';
import type { Weights } from '../model/weights.ts';
import type { TensorInfo } from '../native.ts';
import { batchSequences, openBlock, openEmbed } from './forward.ts';
import type { SessionOptions } from './session.ts';

/** What sequences go through a graph with, and who is called on the way. */
export interface Pass extends SessionOptions {
  /** Tokens of a sequence. */
  readonly seqlen: number;
  /** It is called before each run of the graph; what it throws ends the pass. */
  readonly beforeRun: () => void;
  /** It has the graph opened and run, and may measure how long that takes. */
  readonly time?: <T>(work: () => Promise<T>) => Promise<T>;
}

/** Consecutive sequences of a file of activations. */
export interface Sequences {
  readonly first: number;
  readonly count: number;
}

export interface BlockPass extends Pass {
  /** Tensors that take the place of the checkpoint's own, by name. */
  readonly weights?: ReadonlyMap<string, TensorInfo> | undefined;
  readonly input: Activations;
  /** The sequences of the input that go through; all of them without it. */
  readonly sequences?: Sequences;
  /** What the block gives is stored here, which may be the input itself; null: nothing after the last tap is computed. */
  readonly output: Activations | null;
  /** Where in the output the first sequence is stored; without it each is stored under the number that it has in the input. */
  readonly to?: number;
  /** It is called after each run, once what came out of it is taken to be stored. */
  readonly afterRun?: (sequences: Sequences) => void;
  /** The taps and sums that `onTaps` gets; all of the block's taps without it. */
  readonly taps?: ReadonlySet<string>;
  /** It gets them after each run, by name: [count * seqlen, cols] of a tap, [count * seqlen, rows] of a sum; they hold until it returns. */
  readonly onTaps?: (taps: ReadonlyMap<string, Float32Array>, sequences: Sequences) => Promise<void>;
}

/** Runs of a graph that a pass of so many sequences takes. */
export function passRuns(sequences: number, seqlen: number): number {
  return Math.ceil(sequences / batchSequences(seqlen));
}

/** Takes sequences of tokens, ids [sequences * seqlen], through the embeddings; all is written when it returns. */
export async function throughEmbeddings(
  model: Weights,
  ids: Int32Array,
  output: Activations,
  { threads, seqlen, beforeRun, time = untimed }: Pass,
): Promise<void> {
  await using graph = await time(() => openEmbed(model, { threads, seqlen }));
  const batch = batchSequences(seqlen);
  for (let first = 0; first * seqlen < ids.length; first += batch) {
    beforeRun();
    await output.write(first, await time(() => graph.run(ids.subarray(first * seqlen, (first + batch) * seqlen))));
  }
  await output.settle();
}

/** Takes sequences through one decoder block, with no more than its weights in memory; all is written when it returns. */
export async function throughBlock(model: Weights, block: number, pass: BlockPass): Promise<void> {
  const { device, threads, seqlen, weights, input, output, beforeRun, afterRun, taps, onTaps, time = untimed } = pass;
  const { first: start, count: all } = pass.sequences ?? { first: 0, count: input.shape.sequences };
  const to = pass.to ?? start;
  await using graph = await time(() =>
    openBlock(model, block, {
      device,
      threads,
      seqlen,
      ...(weights && { weights }),
      taps: onTaps !== undefined && (taps ?? true),
      output: output !== null,
    }),
  );
  for await (const { first, count, x } of input.batches(batchSequences(seqlen), start, start + all)) {
    beforeRun();
    const result = await time(() => graph.run(x));
    if (output && result.output) await output.write(to + first - start, result.output);
    afterRun?.({ first, count });
    await onTaps?.(result.taps, { first, count });
  }
  await output?.settle();
}

async function untimed<T>(work: () => Promise<T>): Promise<T> {
  return await work();
}
