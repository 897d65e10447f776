import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { beforeAll, describe, expect, test } from 'vitest';

import { openModel } from '../../src/worker/model/open.ts';
import { native, type Checkpoint } from '../../src/worker/native.ts';
import { Session } from '../../src/worker/runtime/session.ts';
import { wholeGraph } from '../../src/worker/runtime/whole.ts';
import { BatchGeneration } from '../fixtures/generate.ts';
import {
  FIXTURE_SEQLEN,
  FIXTURE_SEQUENCES,
  fixtureExpected,
  fixtureFolder,
  modelFixtures,
  relativeDifference,
} from '../fixtures/models.ts';
import { work } from './exports.ts';
import { output, pythonOfClients } from './program.ts';

const maker = fileURLToPath(new URL('../../scripts/make-model-fixtures.py', import.meta.url));
const made = `${work}/families`;

beforeAll(async () => {
  await output(pythonOfClients(), [maker, '--out', made, ...modelFixtures]);
});

function expectedOf(name: string): Checkpoint {
  return native.Checkpoint.openFile(`${made}/${name}/expected.safetensors`);
}

/** `npm test` compares what Tamis computes with these fixtures: block outputs, inputs of all layers, logits. */
describe.each(modelFixtures)('the installed transformers and %s', (name) => {
  test('it computes what the fixture says', () => {
    const weights = (folder: string): Buffer => readFileSync(`${folder}/model.safetensors`);
    expect(weights(`${made}/${name}`).equals(weights(fixtureFolder(name)))).toBe(true);
    const [fresh, kept] = [expectedOf(name), fixtureExpected(name)];
    const names = kept.tensors().map((tensor) => tensor.name);
    expect(names).toHaveLength(12);
    expect(fresh.readI64('tokens')).toEqual(kept.readI64('tokens'));
    for (const each of names.filter((tensor) => tensor !== 'tokens'))
      expect(relativeDifference(fresh.readF32(each), kept.readF32(each)), each).toBeLessThan(1e-5);
  });

  test('Tamis computes what it computes', async () => {
    const model = await openModel(`${made}/${name}`);
    await using session = await Session.open(wholeGraph(model).build(), { device: 'cpu', threads: 1 });
    const expected = expectedOf(name);
    const tokens = [...expected.readI64('tokens')];
    const each = Array.from({ length: FIXTURE_SEQUENCES }, (_, i) => i * FIXTURE_SEQLEN);
    const logits = await new BatchGeneration(session, model.family).run({
      ids: each.map((start) => tokens.slice(start, start + FIXTURE_SEQLEN)),
      mask: each.map(() => new Array<number>(FIXTURE_SEQLEN).fill(1)),
      positions: each.map(() => [...Array(FIXTURE_SEQLEN).keys()]),
    });
    const difference = relativeDifference(logits, expected.readF32('logits'));
    console.log(`${name}: transformers' logits differ from ours by ${difference.toExponential(1)} of their range`);
    expect(difference).toBeLessThan(1e-5);
  });
});
