import { Tensor } from 'onnxruntime-node';

import { TamisError } from '../../contract/errors.ts';
import { GraphBuilder } from '../graph/builder.ts';
import { logSumExp } from '../graph/operations.ts';
import type { OnnxModel } from '../runtime/onnx-model.ts';
import { Session, type SessionOptions } from '../runtime/session.ts';
import { counter, nextTokens, type PassOptions } from './passes.ts';
import {
  predictWindows,
  type EvaluationSet,
  type Predicted,
  type Predictions,
  type WindowOptions,
  type Windows,
} from './predictions.ts';

export type OnnxEvaluationOptions = WindowOptions & PassOptions;

/** As `predict`, of an exported graph with a cache: each window goes through it in slices. */
export async function predictOnnx(
  model: OnnxModel,
  sets: readonly EvaluationSet[],
  options: OnnxEvaluationOptions,
): Promise<Predicted[]> {
  const { seqlen } = options;
  if (seqlen > model.maxSeqlen) throw new TamisError('evaluation.seqlen', { seqlen, limit: model.maxSeqlen });
  return await predictWindows(sets, options, (windows) => throughGraph(model, windows, options));
}

async function throughGraph(
  model: OnnxModel,
  { ids, count }: Windows,
  options: OnnxEvaluationOptions,
): Promise<Predictions> {
  const { seqlen } = options;
  const { vocab } = model.shape;
  const step = counter(count, ids.length, options);
  const targets = nextTokens(ids);
  const losses = new Float64Array(ids.length);
  const hits = new Uint8Array(ids.length);
  await using sums = await openLogSums(vocab, options);
  for (let first = 0; first < ids.length; first += seqlen) {
    step();
    for await (const { start, logits } of model.logits(ids.subarray(first, first + seqlen))) {
      const at = first + start;
      const { logSum, max } = await sums.run(logits);
      for (const [row, sum] of logSum.entries()) {
        const target = logits[row * vocab + (targets[at + row] ?? 0)] ?? NaN;
        losses[at + row] = sum - target;
        hits[at + row] = target >= (max[row] ?? NaN) ? 1 : 0;
      }
    }
  }
  step();
  return { seqlen, losses, hits };
}

/** What each row of logits comes to: [rows]. */
interface RowSums {
  /** log sum(exp(logit)) */
  readonly logSum: Float32Array;
  readonly max: Float32Array;
}

interface LogSums extends AsyncDisposable {
  /** logits [rows, vocab] -> [rows]. */
  run(logits: Float32Array): Promise<RowSums>;
}

async function openLogSums(vocab: number, options: SessionOptions): Promise<LogSums> {
  const g = new GraphBuilder(new Map());
  const { logSum, max } = logSumExp(g, g.input('logits', 'float32', ['rows', vocab]));
  g.output('logSum', logSum);
  g.output('max', max);
  const session = await Session.open(g.build(), options);
  return {
    async run(logits) {
      const rows = logits.length / vocab;
      const result = { logSum: new Float32Array(rows), max: new Float32Array(rows) };
      const inputs = { logits: new Tensor('float32', logits, [rows, vocab]) };
      await session.run(inputs, {
        logSum: new Tensor('float32', result.logSum, [rows]),
        max: new Tensor('float32', result.max, [rows]),
      });
      return result;
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}
