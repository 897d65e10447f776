import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, expect } from 'vitest';

import { eventSchema } from '../../src/contract/events.ts';
import { bitsOf, killed, succeed, tinyFolder, type Kill, type Tiny } from './helpers.ts';

export type Moment = readonly [when: Kill['when'], moment: string, nth: number];

/** A run's moments, in their order. */
const moments: readonly Moment[] = [
  // the first moments
  ['after', 'rename recipe.json', 1],
  ['torn', 'append stage', 1],
  ['before', 'rename state/fingerprint.json', 1],
  ['after', 'rename state/fingerprint.json', 1],
  ['torn', 'append started', 1],
  // perplexity of the dense model
  ['before', 'Session.run', 4],
  ['before', 'remove state/evaluation.f32', 1],
  ['torn', 'append measured', 1],
  ['before', 'rename state/evaluate-dense.json', 1],
  ['after', 'rename state/evaluate-dense.json', 1],
  // estimates
  ['after', 'write state/estimate.f32', 3],
  ['before', 'Gram.add', 11],
  ['after', 'append estimate', 7],
  ['before', 'rename state/estimate.json', 1],
  // schedule
  ['before', 'rename state/schedule.json', 1],
  ['after', 'rename state/schedule.json', 1],
  ['torn', 'append schedule', 1],
  // the first block: embedding, Grams, sweep, shard, propagation, record
  ['after', 'open state/activations-0000.f32', 1],
  ['after', 'write state/activations-0000.f32', 1],
  ['before', 'Gram.add', 24 + 3],
  ['after', 'ShardWriter.copy', 4],
  ['before', 'ShardWriter.write', 2],
  ['torn', 'append layer', 3],
  ['before', 'ShardWriter.finish', 1],
  ['after', 'ShardWriter.finish', 1],
  ['after', 'write state/activations-0001.f32', 1],
  ['before', 'fsync state/activations-0001.f32', 1],
  ['before', 'rename state/block-0000.json', 1],
  ['after', 'rename state/block-0000.json', 1],
  ['after', 'remove state/activations-0000.f32', 1],
  ['torn', 'append block', 1],
  // later blocks and the rest of the model
  ['before', 'Gram.add', 24 + 8 + 2],
  ['after', 'ShardWriter.write', 8],
  ['after', 'rename state/block-0001.json', 1],
  ['after', 'rename state/block-0002.json', 1],
  ['before', 'ShardWriter.finish', 4],
  ['before', 'copy config.json', 1],
  ['before', 'rename model.safetensors.index.json', 1],
  ['before', 'rename state/model.json', 1],
  // perplexity of the compressed model, and the report
  ['before', 'Session.run', 51],
  ['after', 'rename state/evaluate-compressed.json', 1],
  ['before', 'rename README.md', 1],
  ['after', 'rename report.html', 1],
  ['before', 'rename report.json', 1],
  ['torn', 'append finished', 1],
];

/** Every second one, from the first or from the second on. */
export const everySecond = (first: 0 | 1): Moment[] => moments.filter((_, i) => i % 2 === first);

export interface Interrupted {
  /** Set before the first test. */
  tiny: Tiny;
  /** Of the run that nothing interrupted. */
  bits: ReturnType<typeof bitsOf>;
  /** A place for a run with a cache of its own, so that nothing is found there that the run did not measure. */
  place: () => { out: string; cache: string };
  compressInto: (out: string) => string[];
  /** A run with these flags is killed at a moment, resumed, and has the same bits as one that was not. */
  expectSameBits: (moment: Moment, bits: ReturnType<typeof bitsOf>, flags?: readonly string[]) => Promise<void>;
}

/** Runs of a tiny model that are interrupted, in a folder of their own, and one that was not. */
export function useInterrupted(name: string): Interrupted {
  const use: Interrupted = {
    tiny: {} as Tiny,
    bits: {},
    place: () => {
      const folder = mkdtempSync(use.tiny.file('run-'));
      return { out: join(folder, 'out'), cache: join(folder, 'cache') };
    },
    compressInto: (out) => ['compress', use.tiny.model, '--out', out, ...use.tiny.data, '--scheduler', 'kmeans'],
    expectSameBits: async ([when, moment, nth], bits, flags = []) => {
      const { out, cache } = use.place();
      await killed([...use.compressInto(out), ...flags], cache, { when, moment, nth });
      await succeed(['resume', out], { cache });
      expect(bitsOf(out)).toEqual(bits);
      expectWholeLog(out);
    },
  };
  beforeAll(async () => {
    use.tiny = tinyFolder(name);
    const out = use.tiny.file('whole');
    await succeed(use.compressInto(out), use.tiny);
    use.bits = bitsOf(out);
  });
  afterAll(() => {
    use.tiny.remove();
  });
  return use;
}

/** Every line of the log is a whole event, and the last one says that the run finished. */
export function expectWholeLog(out: string): void {
  const lines = readFileSync(join(out, 'events.jsonl'), 'utf8').trimEnd().split('\n');
  const events = lines.map((line) => {
    const { at: _at, ...event } = JSON.parse(line) as { at: string };
    return eventSchema.parse(event);
  });
  expect(events.at(-1)?.type).toBe('finished');
}
