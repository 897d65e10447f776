import { existsSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';

import { Command } from 'commander';

import { TamisError } from '../contract/errors.ts';
import { exportFiles } from '../contract/export-formats.ts';
import { bytes, duration, fixed, percent, perplexity } from '../contract/format.ts';
import { firstOf } from '../contract/measured.ts';
import { parseRecipe, type Recipe, type RecipeInput } from '../contract/recipe.ts';
import type { Report } from '../contract/report.ts';
import { compress } from '../worker/engine.ts';
import { exportRun } from '../worker/export/exports.ts';
import { act, print, type Acting } from './act.ts';
import { number } from './field-options.ts';
import { addDeviceOptions } from './recipe-options.ts';
import { table } from './table.ts';

type Setting = Pick<RecipeInput, 'method' | 'sparsity' | 'scheduler' | 'quantization' | 'layerTargets'>;

const uniform = { kind: 'uniform' } as const;
const kmeans = { kind: 'kmeans' } as const;
const allocate = { kind: 'allocate' } as const;
const fourBits = { bits: 4, symmetric: true } as const;

/** What the demo compares: folder, name and settings of each run; by SparseGPT where it says nothing else. */
const settings: readonly (readonly [folder: string, name: string, setting: Setting])[] = [
  ['uniform-50', '50 %, uniform', { sparsity: 0.5, scheduler: uniform }],
  ['allocate-50', '50 %, allocate', { sparsity: 0.5, scheduler: allocate }],
  ['uniform-70', '70 %, uniform', { sparsity: 0.7, scheduler: uniform }],
  ['kmeans-70', '70 %, kmeans', { sparsity: 0.7, scheduler: kmeans }],
  ['allocate-70', '70 %, allocate', { sparsity: 0.7, scheduler: allocate }],
  ['admm-uniform-70', '70 %, ADMM, uniform', { method: 'admm', sparsity: 0.7, scheduler: uniform }],
  ['admm-allocate-70', '70 %, ADMM, allocate', { method: 'admm', sparsity: 0.7, scheduler: allocate }],
  [
    'admm-dense-70',
    '70 %, ADMM, allocate, dense targets',
    { method: 'admm', sparsity: 0.7, scheduler: allocate, layerTargets: 'dense' },
  ],
  ['uniform-70-int4', '70 %, uniform + 4 bits', { sparsity: 0.7, scheduler: uniform, quantization: fourBits }],
  ['kmeans-70-int4', '70 %, kmeans + 4 bits', { sparsity: 0.7, scheduler: kmeans, quantization: fourBits }],
  ['allocate-70-int4', '70 %, allocate + 4 bits', { sparsity: 0.7, scheduler: allocate, quantization: fourBits }],
  [
    'admm-allocate-70-int4',
    '70 %, ADMM, allocate + 4 bits',
    { method: 'admm', sparsity: 0.7, scheduler: allocate, quantization: fourBits },
  ],
  ['uniform-80', '80 %, uniform', { sparsity: 0.8, scheduler: uniform }],
  ['kmeans-80', '80 %, kmeans', { sparsity: 0.8, scheduler: kmeans }],
  ['allocate-80', '80 %, allocate', { sparsity: 0.8, scheduler: allocate }],
  ['admm-allocate-80', '80 %, ADMM, allocate', { method: 'admm', sparsity: 0.8, scheduler: allocate }],
  ['int4', '4 bits', { sparsity: 0, quantization: fourBits }],
  ['int3', '3 bits', { sparsity: 0, quantization: { bits: 3, symmetric: true } }],
];

interface Flags {
  out: string;
  device?: Recipe['device'];
  threads?: number;
  seed: number;
}

export function demoCommand(): Command {
  const command = new Command('demo')
    .description('Prune and quantize the demo model in several ways, pack each, and print what they cost and save.')
    .option('--out <dir>', 'folder for the runs; those of an earlier demo in it are replaced', 'tamis-demo')
    .option('--seed <n>', "of the calibration's windows and of K-means", number, 0);
  return addDeviceOptions(command).action(async (flags: Flags) => {
    await act(async (acting) => {
      const start = performance.now();
      const rows: string[][] = [];
      for (const [folder, name, setting] of settings) {
        const out = join(resolve(flags.out), folder);
        const report = await runDemo(out, demoRecipe(setting, flags), acting);
        const packed = await pack(out, acting);
        if (rows.length === 0) rows.push(denseRow(report));
        rows.push(rowOf(name, report, packed));
      }
      print(table(['', 'sparsity', 'perplexity', 'bits/weight', 'file', 'ratio', 'time'], rows));
      print(
        `\nPerplexity: addresses and chapters that the model has not seen, 256 windows, seqlen 256. bits/weight: of the layers in the packed archive, all overhead counted; file: that archive, embeddings and tokenizer included. Each run and its report.html: ${resolve(flags.out)}`,
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

interface Packed {
  /** Bits a weight of the layers. */
  readonly bits: number;
  /** Bytes of the archive's file. */
  readonly bytes: number;
}

/** Packs the run into an archive beside its folder. */
async function pack(run: string, { signal, onProgress }: Acting): Promise<Packed> {
  const out = `${run}.packed`;
  rmSync(out, { recursive: true, force: true });
  const { bitsPerWeight } = await exportRun({ run, format: 'tamis', out, check: false, signal, onProgress });
  return { bits: bitsPerWeight, bytes: statSync(join(out, exportFiles.tamis)).size };
}

function demoRecipe(setting: Setting, { device, threads, seed }: Flags): Recipe {
  const root = dirname(createRequire(import.meta.url).resolve('#package'));
  const texts = join(root, 'dist/resources/demo-texts');
  return parseRecipe({
    model: join(root, 'resources/demo-model'),
    ...setting,
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

function denseRow({ measured, model }: Report): string[] {
  const value = firstOf(measured, 'perplexity')?.dense.value ?? NaN;
  return ['dense', '0.00 %', perplexity(value), '16.00', bytes(model.bytes), '1.00', ''];
}

/** Stages that compress and measure a model, whatever the run found kept from an earlier one. */
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

function rowOf(name: string, { sparsity, measured, seconds, model }: Report, packed: Packed): string[] {
  const time = stages.reduce((sum, stage) => sum + (seconds[stage] ?? 0), 0);
  return [
    name,
    `${percent(sparsity.actual, 2)} %`,
    perplexity(firstOf(measured, 'perplexity')?.compressed.value ?? NaN),
    fixed(packed.bits, 2),
    bytes(packed.bytes),
    fixed(model.bytes / packed.bytes, 2),
    duration(time),
  ];
}
