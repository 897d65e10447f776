import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { addRecipeOptions, recipeFrom, type RecipeFlags } from '../../src/cli/recipe-options.ts';
import { describe as sentence } from '../../src/contract/describe.ts';
import { TamisError } from '../../src/contract/errors.ts';
import type { Recipe } from '../../src/contract/recipe.ts';

let folder: string;
let files = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tamis-options-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The recipe that the command line makes of flags. */
function recipeOf(...flags: string[]): Recipe {
  const recipes: Recipe[] = [];
  const command = new Command('compress').argument('[model]').exitOverride();
  addRecipeOptions(command).action((model: string | undefined, given: RecipeFlags) => {
    recipes.push(recipeFrom(model, given));
  });
  command.parse(['/models/opt', ...flags], { from: 'user' });
  const [recipe] = recipes;
  if (!recipe) throw new Error('no recipe');
  return recipe;
}

/** A recipe file with these settings, as flags. */
function file(settings: object): string[] {
  const path = join(folder, `recipe-${++files}.json`);
  writeFileSync(path, JSON.stringify(settings));
  return ['--recipe', path];
}

function refusal(...flags: string[]): TamisError {
  try {
    recipeOf(...flags);
  } catch (error) {
    if (error instanceof TamisError) return error;
    throw error;
  }
  throw new Error('not refused');
}

/** Which schedulers have each flag: docs/method.md, sections 6 and 7. */
const owners: Readonly<Record<string, readonly [value: string, ...schedulers: string[]]>> = {
  '--range': ['0.2', 'allocate', 'kmeans'],
  '--estimate': ['raw', 'kmeans'],
  '--groups': ['2', 'kmeans'],
  '--mapping': ['linear', 'kmeans'],
  '--power': ['0.3', 'kmeans'],
  '--min-sparsity': ['0.1', 'kmeans'],
  '--max-sparsity': ['0.9', 'kmeans'],
  '--lambda': ['0.05', 'owl'],
  '--owl-m': ['7', 'owl'],
  '--epsilon': ['0.2', 'alpha'],
  '--beta': ['0.01', 'atp'],
  '--sparsities': ['/s.json', 'file'],
};
const kinds = ['auto', 'uniform', 'allocate', 'kmeans', 'owl', 'alpha', 'atp', 'file'];

describe.each(Object.entries(owners))("a scheduler's setting: %s", (flag, [value, ...schedulers]) => {
  const own = { flag, schedulers: schedulers.join(', ') };

  test('is refused by name where no scheduler is named, or another one', () => {
    for (const [scheduler, ...flags] of [
      ['auto', flag, value],
      ['uniform', flag, value, '--sparsity', '0'],
      ['uniform', flag, value, '--nm', '2:4'],
      ['uniform', ...file({ scheduler: { kind: 'kmeans' } }), flag, value, '--nm', '2:4'],
      ['uniform', ...file({ nm: { n: 2, m: 4 } }), flag, value],
      ...kinds.filter((kind) => !schedulers.includes(kind)).map((kind) => [kind, flag, value, '--scheduler', kind]),
      ...kinds
        .filter((kind) => !schedulers.includes(kind))
        .map((kind) => [
          kind,
          ...file({ scheduler: { kind, ...(kind === 'file' && { path: '/f.json' }) } }),
          flag,
          value,
        ]),
    ]) {
      const error = refusal(...flags);
      expect(error.code).toBe('cli.flag-of-scheduler');
      expect(error.params).toEqual({ ...own, scheduler });
      for (const locale of ['en', 'zh-TW'] as const)
        for (const word of [flag, ...schedulers, scheduler ?? '']) expect(sentence(error, locale)).toContain(word);
    }
  });

  test('goes to the scheduler that is named, and to the one of the file', () => {
    const field = { '--min-sparsity': 'min', '--max-sparsity': 'max', '--owl-m': 'm', '--sparsities': 'path' }[flag];
    const expected = { [field ?? flag.slice(2)]: Number.isNaN(Number(value)) ? value : Number(value) };
    for (const kind of schedulers) {
      expect(recipeOf('--scheduler', kind, flag, value).scheduler).toMatchObject({ kind, ...expected });
      const other = {
        kind,
        ...(kind === 'kmeans' && { seed: undefined, min: 0.05 }),
        ...(kind === 'file' && { path: '/f' }),
      };
      const { scheduler } = recipeOf(...file({ scheduler: other }), flag, value);
      expect(scheduler).toMatchObject({ ...JSON.parse(JSON.stringify(other)), ...expected });
    }
  });
});

describe('settings of quantization', () => {
  const settings = [
    ['--group-size', '64'],
    ['--symmetric'],
    ['--act-order'],
    ['--static-groups'],
    ['--quantization-range', 'mse'],
    ['--exception', '*.fc2=8'],
  ];

  test.each(settings)('%s is refused by name without bits', (flag, ...value) => {
    for (const more of [[], file({ quantization: null })]) {
      const error = refusal(...more, flag, ...value);
      expect([error.code, error.params]).toEqual(['cli.flag-without-bits', { flag }]);
      for (const locale of ['en', 'zh-TW'] as const) expect(sentence(error, locale)).toContain(`${flag} `);
    }
  });

  test.each(settings)("%s goes with --bits and with a file's", (...given) => {
    const [quantization] = [recipeOf('--bits', '4', ...given).quantization];
    expect(quantization).not.toEqual(recipeOf('--bits', '4').quantization);
    expect(recipeOf(...file({ quantization: { bits: 4 } }), ...given).quantization).toEqual(quantization);
  });
});

test('a switch and a null that are given are told from what is not', () => {
  expect(recipeOf('--no-cpu-fallback').cpuFallback).toBe(false);
  expect(recipeOf(...file({ cpuFallback: false })).cpuFallback).toBe(false);
  expect(
    recipeOf(...file({ quantization: { bits: 4, groupSize: 32 } }), '--group-size', 'channel').quantization,
  ).toMatchObject({ bits: 4, groupSize: null });
});
