import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { z } from 'zod';

import { openTokenizer } from '../../src/worker/texts/tokenizer.ts';
import { demoModel } from '../fixtures/demo-model.ts';
import { demoTexts } from '../fixtures/demo-texts.ts';
import { safetensors } from '../fixtures/safetensors.ts';
import {
  cli,
  exportFolder,
  random,
  randomFamilies,
  runFolder,
  runNames,
  runs,
  sample,
  sampleFile,
  tokensFile,
  work,
  type RunName,
} from './exports.ts';
import { client, output } from './program.ts';

/** Of the calibration: the tests look at what is written, not at how good it is. */
const SEQUENCES = 32;

/** Makes all runs and their exports with the command line, before the first test. */
export default async function makeExports(): Promise<void> {
  rmSync(work, { recursive: true, force: true });
  mkdirSync(join(work, 'exports'), { recursive: true });
  await writeSample();
  for (const family of randomFamilies)
    await client('random_model.py', [family, demoModel, random(family)], z.object({ parameters: z.int() }));
  for (const name of runNames) await makeRun(name);
}

export async function writeSample(): Promise<void> {
  // All the models here have its tokenizer.
  const tokenizer = await openTokenizer(demoModel);
  const names = (await readdir(demoTexts.evaluation)).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(demoTexts.evaluation, name), 'utf8')));
  const { seqlen, windows, prompt, generate } = sample;
  const ids = [...tokenizer.encode(texts.join('\n\n')).subarray(0, seqlen * windows)];
  if (ids.length < seqlen * windows) throw new Error(`the demo's texts have ${ids.length} tokens only`);
  writeFileSync(tokensFile, safetensors({ tokens: { dtype: 'I64', shape: [ids.length], data: ids } }));
  writeFileSync(sampleFile, JSON.stringify({ ids, seqlen, prompt, generate }));
}

async function makeRun(name: RunName): Promise<void> {
  const { model, flags, formats } = runs[name];
  const data = [
    '--calibration',
    demoTexts.calibration,
    '--sequences',
    String(SEQUENCES),
    '--calibration-seqlen',
    '256',
  ];
  await tamis(['compress', model, '--out', runFolder(name), ...flags, ...data]);
  for (const format of formats)
    await tamis(['export', runFolder(name), '--format', format, '--out', exportFolder(name, format)]);
}

async function tamis(args: readonly string[]): Promise<void> {
  await output(process.execPath, [cli, ...args]);
}
