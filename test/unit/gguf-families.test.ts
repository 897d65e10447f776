import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';

import type { FinishedRun } from '../../src/worker/export/finished-run.ts';
import { readGgufHeader } from '../../src/worker/export/gguf-header.ts';
import { gguf } from '../../src/worker/export/gguf.ts';
import { denseFiles } from '../../src/worker/export/unpack.ts';
import { openModel } from '../../src/worker/model/open.ts';
import { fixtureFolder, modelFixtures } from '../fixtures/models.ts';
import { readTensors } from '../fixtures/read-safetensors.ts';
import { sampleReport } from '../fixtures/report.ts';
import { testFolder } from '../fixtures/safetensors.ts';

const { path: root, remove } = testFolder('gguf-families');
afterAll(remove);

const never = { signal: new AbortController().signal, onBytes: () => undefined };

/** What of each tiny model llama.cpp cannot do; null of those that it loads. */
const refusals: Readonly<Record<string, string | null>> = {};

async function runOf(name: string): Promise<FinishedRun> {
  const folder = fixtureFolder(name);
  return {
    folder,
    report: { ...sampleReport(), layers: [] },
    model: await openModel(folder),
    layers: new Map(),
    open: () => Promise.reject(new Error('nothing is quantized')),
  };
}

test.each(modelFixtures)('%s', async (name) => {
  const refusal = await gguf.refusal(await runOf(name));
  console.log(name, JSON.stringify(refusal));
});
