import { join } from 'node:path';

import type { Rows } from '../graph/builder.ts';
import { openModel, type Model } from '../model/open.ts';
import { vocabularyRanges } from '../model/weights.ts';
import { Activations } from '../machine/activations.ts';
import { HEAD_TOKENS, openLogits } from '../runtime/forward.ts';
import { isOnnxFolder, openOnnxModel } from '../runtime/onnx-model.ts';
import type { SessionOptions } from '../runtime/session.ts';
import type { Vocabulary } from '../texts/sources.ts';
import { vocabularyOf } from './evaluate.ts';
import { passSteps, throughBlocks, type PassOptions } from './passes.ts';

/** Logits [tokens, width] of a window's next slice of at most 256 tokens; they hold until the slice after it is asked for. */
export type Slices = AsyncGenerator<Float32Array, void>;

/** A model that gives its logits one range of the vocabulary after the other. */
export interface LogitsModel extends AsyncDisposable {
  readonly vocabulary: Vocabulary;
  /** Ranges of the vocabulary that it can be asked for; all of it at once where it has no smaller ones. */
  readonly ranges: readonly Rows[];
  /** Runs that `prepare` makes of so many windows. */
  steps(windows: number, seqlen: number): number;
  /** What is done once, before any logits; `ids`: the windows, one after another. */
  prepare(ids: Int32Array, scratch: string, options: PassOptions, step: () => void): Promise<void>;
  /** Opens the head for a range; after `prepare`. */
  open(range: Rows, options: SessionOptions): Promise<LogitsHead>;
}

export interface LogitsHead extends AsyncDisposable {
  slices(window: number): Slices;
}

/** A dense folder's blocks go through memory one at a time; an ONNX export is run as it is. */
export async function openLogitsModel(folder: string, session: SessionOptions): Promise<LogitsModel> {
  return isOnnxFolder(folder) ? await onnxLogits(folder, session) : denseLogits(await openModel(folder));
}

function denseLogits(model: Model): LogitsModel {
  let activations: Activations | null = null;
  return {
    vocabulary: model,
    ranges: vocabularyRanges(model),
    steps: (windows, seqlen) => passSteps(model, windows, seqlen),
    async prepare(ids, scratch, options, step) {
      const { seqlen } = options;
      const shape = { sequences: ids.length / seqlen, seqlen, hidden: model.family.hidden };
      activations = Activations.scratch(join(scratch, 'activations.f32'), shape);
      await throughBlocks(model, ids, activations, options, step);
    },
    async open(range, options) {
      const head = await openLogits(model, range, options);
      return {
        async *slices(window) {
          if (activations === null) throw new Error('logits before anything went through the blocks');
          const x = await activations.read(window, 1);
          const slice = HEAD_TOKENS * model.family.hidden;
          for (let start = 0; start < x.length; start += slice) yield await head.run(x.subarray(start, start + slice));
        },
        [Symbol.asyncDispose]: () => head[Symbol.asyncDispose](),
      };
    },
    async [Symbol.asyncDispose]() {
      await activations?.[Symbol.asyncDispose]();
    },
  };
}

async function onnxLogits(folder: string, session: SessionOptions): Promise<LogitsModel> {
  const model = await openOnnxModel(folder, session);
  let windows: (window: number) => Int32Array = () => new Int32Array(0);
  return {
    vocabulary: vocabularyOf(folder, model),
    ranges: [{ start: 0, end: model.shape.vocab }],
    steps: () => 0,
    prepare(ids, _scratch, { seqlen }) {
      windows = (window) => ids.subarray(window * seqlen, (window + 1) * seqlen);
      return Promise.resolve();
    },
    open: () =>
      Promise.resolve({
        async *slices(window) {
          for await (const { logits } of model.logits(windows(window))) yield logits;
        },
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
  };
}
