import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Command } from 'commander';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { addRecipeOptions, recipeFrom, type RecipeFlags } from '../../src/cli/recipe-options.ts';
import { recipeCommand } from '../../src/renderer/pages/new/recipe-command.ts';
import { parseRecipe, type Recipe, type RecipeInput } from '../../src/contract/recipe.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tamis-command-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The words that a shell makes of the command, in place of running it. */
function wordsOf(command: string): string[] {
  const script = `tamis() { printf '%s\\0' "$@"; }\n${command}`;
  return execFileSync('sh', ['-c', script], { cwd: folder, encoding: 'utf8' }).split('\0').slice(0, -1);
}

/** The recipe that the command line makes of the words. */
function recipeOf(words: readonly string[]): Recipe {
  const recipes: Recipe[] = [];
  const here = words.map((word) => (word === 'recipe.json' ? join(folder, word) : word));
  const compress = new Command('compress').argument('[model]').requiredOption('--out <dir>').exitOverride();
  addRecipeOptions(compress).action((model: string | undefined, flags: RecipeFlags) => {
    recipes.push(recipeFrom(model, flags));
  });
  new Command('tamis').exitOverride().addCommand(compress).parse(here, { from: 'user' });
  const [recipe] = recipes;
  if (!recipe) throw new Error('no recipe');
  return recipe;
}

const input = (more: Partial<RecipeInput>): RecipeInput => ({ model: '/models/opt', ...more });
const texts = (...paths: string[]): { kind: 'texts'; paths: string[] } => ({ kind: 'texts', paths });

const cases: Record<string, RecipeInput> = {
  'all defaults': input({}),
  'names that a shell would take apart': input({
    model: "/mo dels/it's $HOME/`x`",
    calibration: { corpus: texts('/a b/c.txt', '/tmp/"quoted"') },
  }),
  pattern: input({ nm: { n: 2, m: 4 }, method: 'wanda' }),
  'kmeans, every setting': input({
    sparsity: 0.725,
    scheduler: {
      kind: 'kmeans',
      estimate: 'relative-by-type',
      groups: 0,
      mapping: 'linear',
      power: 0.35,
      range: 0.2,
      min: 0.1,
      max: 0.9,
    },
  }),
  auto: input({ scheduler: { kind: 'auto' } }),
  allocate: input({ scheduler: { kind: 'allocate', range: 0.2 } }),
  'kmeans by measured sensitivity': input({ scheduler: { kind: 'kmeans', estimate: 'measured' } }),
  'a size to come to': input({ fit: { kind: 'size', bytes: 3_200_000_001 }, quantization: { bits: 4 } }),
  'a perplexity to come to, begun at a target': input({
    fit: { kind: 'perplexity', perplexity: 12.5 },
    sparsity: 0.61234,
    evaluation: { datasets: [{ name: 'wiki', corpus: texts('/data/wiki.txt') }] },
  }),
  owl: input({ scheduler: { kind: 'owl', lambda: 0.05, m: 7 } }),
  alpha: input({ scheduler: { kind: 'alpha', epsilon: 0.2 } }),
  'a negative β': input({ scheduler: { kind: 'atp', beta: -0.01 } }),
  'a file of sparsities': input({ scheduler: { kind: 'file', path: '/runs/my sparsities.json' } }),
  'four bits': input({ sparsity: 0, quantization: { bits: 4 } }),
  'quantization, every setting': input({
    quantization: {
      bits: 3,
      groupSize: null,
      symmetric: true,
      actOrder: true,
      staticGroups: true,
      range: 'mse',
      exceptions: [
        { layers: '*.fc2', bits: 8 },
        { layers: "-a=b it's $x.*", bits: null },
      ],
    },
  }),
  'small groups of a pattern': input({ nm: { n: 2, m: 4 }, quantization: { bits: 2, groupSize: 32 } }),
  'all numbers': input({
    percdamp: 0.05,
    calibration: { corpus: { kind: 'tokens', path: '/data/c.safetensors' }, sequences: 64, seqlen: 512 },
    evaluation: { windows: 32, seqlen: 1024 },
    seed: 7,
    device: 'webgpu',
    threads: 3,
    memory: 3 * 2 ** 29,
    blocks: 2,
  }),
  'datasets called otherwise than their files': input({
    evaluation: {
      datasets: [
        { name: 'demo', corpus: texts('/resources/demo-texts/evaluation') },
        { name: 'wiki', corpus: texts('/data/wiki.txt') },
        { name: 'c4 ids', corpus: { kind: 'tokens', path: '/data/a=b.safetensors' } },
      ],
    },
  }),
  'a dataset of two files': input({
    evaluation: { datasets: [{ name: 'both', corpus: texts('/data/one.txt', "/data/it's two.txt") }] },
  }),
  'token ids before texts': input({
    evaluation: {
      datasets: [
        { name: 'ids', corpus: { kind: 'tokens', path: '/data/ids.safetensors' } },
        { name: 'wiki', corpus: texts('/data/wiki.txt') },
      ],
    },
  }),
};

describe('recipeCommand', () => {
  test.each(Object.entries(cases))('%s', (_, each) => {
    const recipe = parseRecipe(each);
    expect(recipeOf(wordsOf(recipeCommand(recipe)))).toEqual(recipe);
  });

  test('the demo is one readable line', () => {
    const recipe = parseRecipe({
      model: '/tamis/demo-model',
      sparsity: 0.7,
      scheduler: { kind: 'kmeans' },
      calibration: { corpus: texts('/tamis/calibration'), sequences: 128, seqlen: 256 },
      evaluation: { datasets: [{ name: 'demo', corpus: texts('/tamis/evaluation') }], windows: 256, seqlen: 256 },
    });
    expect(recipeCommand(recipe)).toBe(
      'tamis compress /tamis/demo-model --method sparsegpt --sparsity 0.7 --scheduler kmeans ' +
        '--calibration /tamis/calibration --calibration-seqlen 256 ' +
        '--evaluation demo=/tamis/evaluation --windows 256 --seqlen 256 --out NEW_FOLDER',
    );
  });

  test('any path and any dataset name survive the shell and the options', () => {
    const name = fc.string({ minLength: 1, maxLength: 12 }).filter((text) => !text.includes('\0'));
    const path = name.map((text) => `/data/${text.replaceAll('/', '_')}x`);
    fc.assert(
      fc.property(path, path, name, path, (model, calibration, dataset, evaluation) => {
        const recipe = parseRecipe({
          model,
          calibration: { corpus: texts(calibration) },
          evaluation: { datasets: [{ name: dataset, corpus: texts(evaluation) }] },
        });
        expect(recipeOf(wordsOf(recipeCommand(recipe)))).toEqual(recipe);
      }),
      { numRuns: 60 },
    );
  });
});
