import { Tensor } from 'onnxruntime-node';

import { TamisError } from '../../contract/errors.ts';
import { GraphBuilder } from '../graph/builder.ts';
import { logSumExp } from '../graph/operations.ts';
import type { OnnxModel } from '../runtime/onnx-model.ts';
import { Session, type SessionOptions } from '../runtime/session.ts';
import { counter, nextTokens, windowMeans, type PassOptions } from './passes.ts';
import { measure, type EvaluationSet, type Perplexity, type WindowOptions, type Windows } from './perplexity.ts';

export type OnnxEvaluationOptions = WindowOptions & PassOptions;

/** As `perplexities`, of an exported graph with a cache: each window goes through it in slices. */
export async function onnxPerplexities(
  model: OnnxModel,
  sets: readonly EvaluationSet[],
  options: OnnxEvaluationOptions,
): Promise<Perplexity[]> {
  const { seqlen } = options;
  if (seqlen > model.maxSeqlen) throw new TamisError('evaluation.seqlen', { seqlen, limit: model.maxSeqlen });
  return await measure(sets, options, (windows) => windowLosses(model, windows, options));
}

/** Mean negative log-likelihood of every window, in float64 nats: [windows]. */
async function windowLosses(
  model: OnnxModel,
  { ids, count }: Windows,
  options: OnnxEvaluationOptions,
): Promise<Float64Array> {
  const { seqlen } = options;
  const { vocab } = model.shape;
  const step = counter(count, ids.length, options);
  const targets = nextTokens(ids);
  const losses = new Float64Array(ids.length);
  const sums = await openLogSums(vocab, options);
  try {
    for (let first = 0; first < ids.length; first += seqlen) {
      step();
      for await (const { start, logits } of model.logits(ids.subarray(first, first + seqlen))) {
        const at = first + start;
        for (const [row, logSum] of (await sums.run(logits)).entries()) {
          losses[at + row] = logSum - (logits[row * vocab + (targets[at + row] ?? 0)] ?? NaN);
        }
      }
    }
  } finally {
    await sums.close();
  }
  step();
  return windowMeans(losses, seqlen);
}

interface LogSums {
  /** logits [rows, vocab] -> log sum(exp(logit)) [rows]. */
  run(logits: Float32Array): Promise<Float32Array>;
  close(): Promise<void>;
}

async function openLogSums(vocab: number, options: SessionOptions): Promise<LogSums> {
  const g = new GraphBuilder(new Map());
  g.output('logSum', logSumExp(g, g.input('logits', 'float32', ['rows', vocab])));
  const session = await Session.open(g.build(), options);
  return {
    async run(logits) {
      const rows = logits.length / vocab;
      const result = new Float32Array(rows);
      const inputs = { logits: new Tensor('float32', logits, [rows, vocab]) };
      await session.run(inputs, { logSum: new Tensor('float32', result, [rows]) });
      return result;
    },
    close: () => session.close(),
  };
}
