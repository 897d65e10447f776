import { existsSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';

import { Command } from 'commander';

import { TamisError } from '../contract/errors.ts';
import { bytes, duration, percent, perplexity } from '../contract/format.ts';
import { parseRecipe, type Recipe } from '../contract/recipe.ts';
import type { Report } from '../contract/report.ts';
import { compress } from '../worker/engine.ts';
import { act, print, type Acting } from './act.ts';
import { addDeviceOptions, number } from './recipe-options.ts';
import { table } from './table.ts';

const targets = [0.7, 0.8];
const schedulers = ['uniform', 'kmeans'] as const;

interface Flags {
  out: string;
  device?: Recipe['device'];
  threads?: number;
  seed: number;
}

export function demoCommand(): Command {
  const command = new Command('demo')
    .description('Compress the demo model at 70 % and 80 %, with uniform SparseGPT and scheduled, and print the table.')
    .option('--out <dir>', 'folder for the runs; those of an earlier demo in it are replaced', 'tamis-demo')
    .option('--seed <n>', "of the calibration's windows and of K-means", number, 0);
  return addDeviceOptions(command).action(async (flags: Flags) => {
    await act(async (acting) => {
      const start = performance.now();
      const rows: string[][] = [];
      for (const sparsity of targets) {
        for (const scheduler of schedulers) {
          const out = join(
            resolve(flags.out),
            `${scheduler === 'uniform' ? 'uniform' : 'scheduled'}-${sparsity * 100}`,
          );
          const report = await runDemo(out, demoRecipe(sparsity, scheduler, flags), acting);
          if (rows.length === 0) rows.push(denseRow(report));
          rows.push(rowOf(report, scheduler));
        }
      }
      print(table(['', 'sparsity', 'perplexity', 'time', 'size (dense storage)'], rows));
      print(
        `\nPerplexity: addresses and chapters that the model has not seen, 256 windows, seqlen 256. Each run and its report.html: ${resolve(flags.out)}`,
      );
      print(`All of it took ${duration((performance.now() - start) / 1000)}.`);
    });
  });
}

async function runDemo(out: string, recipe: Recipe, acting: Acting): Promise<Report> {
  if (existsSync(out) && !existsSync(join(out, 'recipe.json'))) throw new TamisError('run.exists', { path: out });
  rmSync(out, { recursive: true, force: true });
  process.stderr.write(`\n${out}\n`);
  return await compress(recipe, out, acting);
}

function demoRecipe(
  sparsity: number,
  scheduler: (typeof schedulers)[number],
  { device, threads, seed }: Flags,
): Recipe {
  const root = dirname(createRequire(import.meta.url).resolve('#package'));
  const texts = join(root, 'dist/resources/demo-texts');
  return parseRecipe({
    model: join(root, 'resources/demo-model'),
    sparsity,
    scheduler: { kind: scheduler },
    calibration: { corpus: { kind: 'texts', paths: [join(texts, 'calibration')] }, sequences: 128, seqlen: 256 },
    evaluation: {
      datasets: [{ name: 'demo', corpus: { kind: 'texts', paths: [join(texts, 'evaluation')] } }],
      windows: 256,
      seqlen: 256,
    },
    seed,
    ...(device && { device }),
    ...(threads !== undefined && { threads }),
  });
}

function denseRow({ perplexity: [measured], model }: Report): string[] {
  return ['dense', '0.00 %', perplexity(measured?.dense ?? NaN), '', bytes(model.bytes)];
}

function rowOf(
  { sparsity, perplexity: [measured], seconds, model }: Report,
  scheduler: (typeof schedulers)[number],
): string[] {
  const name = scheduler === 'uniform' ? 'SparseGPT, uniform' : 'SparseGPT, scheduled';
  const stages = [
    'evaluate-dense',
    'estimate',
    'schedule',
    'forward',
    'gram',
    'factor',
    'solve',
    'propagate',
    'evaluate-compressed',
  ];
  const time = stages.reduce((sum, stage) => sum + (seconds[stage] ?? 0), 0);
  return [
    name,
    `${percent(sparsity.actual, 2)} %`,
    perplexity(measured?.compressed ?? NaN),
    duration(time),
    bytes(model.bytesCompressed),
  ];
}
