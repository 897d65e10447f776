import { describe, expect, test } from 'vitest';

import type { Boot } from '../../src/contract/bridge.ts';
import { presetIds, presetRecipe } from '../../src/renderer/pages/new/presets.ts';
import { parseRecipe, type Recipe, type RecipeInput } from '../../src/contract/recipe.ts';
import { withDatasets, withoutPath, withPaths } from '../../src/renderer/pages/new/corpora.ts';
import {
  changedFields,
  draftOf,
  presetDraft,
  rebase,
  withPreset,
  type Draft,
} from '../../src/renderer/pages/new/draft.ts';
import { exportLimits } from '../../src/renderer/pages/new/quantization.ts';
import { recipesOf } from '../../src/renderer/pages/new/recipes.ts';

const boot: Boot = {
  version: '1.0.0',
  platform: 'linux',
  language: 'en',
  settings: {
    language: 'system',
    theme: 'system',
    threads: 6,
    memory: 3 * 2 ** 29,
    device: 'cpu',
    gpu: 'none',
    runsFolder: null,
    modelsFolder: null,
    hubEndpoint: null,
  },
  demo: { model: '/tamis/demo-model', calibration: '/tamis/calibration', evaluation: '/tamis/evaluation' },
  threads: 8,
  notices: [],
  interrupted: [],
};
const demo = presetDraft('scheduled-70', boot.demo.model, boot);
const head = {
  family: 'opt',
  dtype: 'F16',
  blocks: 12,
  layers: 72,
  hidden: 768,
  vocab: 50272,
  maxSeqlen: 2048,
  parameters: 125_239_296,
  bytes: 250_478_592,
};

/** The recipes that the fields amount to, with all defaults. */
function recipes(draft: Draft): Recipe[] {
  const { recipes: made, errors } = recipesOf(draft, null);
  expect(errors).toEqual({});
  return made.map((recipe) => parseRecipe(recipe));
}

const texts = (...paths: string[]): { kind: 'texts'; paths: string[] } => ({ kind: 'texts', paths });

describe('what the fields start from', () => {
  test('the demo model comes with its texts, in the size of the demo of the command line', () => {
    expect(recipes(demo)).toEqual([
      parseRecipe({
        model: '/tamis/demo-model',
        method: 'admm',
        sparsity: 0.7,
        scheduler: { kind: 'auto' },
        calibration: { corpus: texts('/tamis/calibration'), sequences: 128, seqlen: 256 },
        evaluation: {
          datasets: [{ name: 'demo', corpus: texts('/tamis/evaluation') }],
          windows: 256,
          seqlen: 256,
        },
        device: 'cpu',
        gpu: 'none',
        threads: 6,
        memory: 3 * 2 ** 29,
      }),
    ]);
  });

  test.each(presetIds)(
    '%s on another model is the preset, with the device, threads and memory of the settings',
    (preset) => {
      const draft = { ...presetDraft(preset, '/models/opt', boot), 'calibration.corpus': texts('/data') };
      const expected = presetRecipe(preset, '/models/opt');
      expect(recipes(draft)).toEqual([
        {
          ...expected,
          device: 'cpu',
          gpu: 'none',
          threads: 6,
          memory: 3 * 2 ** 29,
          calibration: { ...expected.calibration, corpus: texts('/data') },
        },
      ]);
    },
  );

  test('nothing is marked as changed', () => {
    expect(changedFields(demo, presetDraft('scheduled-70', boot.demo.model, boot))).toEqual(new Set());
  });
});

const full: Record<string, RecipeInput> = {
  kmeans: {
    model: '/m',
    method: 'wanda',
    sparsity: 0.07,
    scheduler: {
      kind: 'kmeans',
      estimate: 'relative',
      groups: 0,
      mapping: 'linear',
      power: 0.3,
      range: 0.29,
      min: 0.1,
      max: 0.57,
    },
    percdamp: 0.02,
    calibration: { corpus: { kind: 'tokens', path: '/c.safetensors' }, sequences: 3, seqlen: 99 },
    evaluation: { datasets: [{ name: 'w', corpus: texts('/w.txt', '/v.txt') }], windows: 5, seqlen: 77 },
    seed: 9,
    device: 'webgpu',
    threads: 2,
    blocks: 1,
  },
  auto: { model: '/m', scheduler: { kind: 'auto' }, calibration: { corpus: texts('/c') } },
  allocate: { model: '/m', scheduler: { kind: 'allocate', range: 0.17 }, calibration: { corpus: texts('/c') } },
  measured: {
    model: '/m',
    scheduler: { kind: 'kmeans', estimate: 'measured' },
    calibration: { corpus: texts('/c') },
  },
  owl: {
    model: '/m',
    sparsity: 0.721,
    scheduler: { kind: 'owl', lambda: 0.05, m: 7 },
    calibration: { corpus: texts('/c') },
  },
  'a size': {
    model: '/m',
    fit: { kind: 'size', bytes: 3_200_000_000 },
    scheduler: { kind: 'uniform' },
    calibration: { corpus: texts('/c') },
  },
  'a perplexity': {
    model: '/m',
    fit: { kind: 'perplexity', perplexity: 12.5 },
    scheduler: { kind: 'allocate' },
    calibration: { corpus: texts('/c') },
    evaluation: { datasets: [{ name: 'w', corpus: texts('/w.txt') }] },
  },
  alpha: { model: '/m', method: 'magnitude', scheduler: { kind: 'alpha', epsilon: 0.1 } },
  atp: { model: '/m', method: 'magnitude', scheduler: { kind: 'atp', beta: -0.01 } },
  file: { model: '/m', method: 'magnitude', scheduler: { kind: 'file', path: '/s.json' } },
  pattern: { model: '/m', method: 'magnitude', nm: { n: 4, m: 8 } },
  quantized: {
    model: '/m',
    calibration: { corpus: texts('/c') },
    quantization: {
      bits: 3,
      groupSize: null,
      symmetric: true,
      actOrder: true,
      staticGroups: true,
      range: 'mse',
      exceptions: [
        { layers: '*.fc2', bits: 8 },
        { layers: '*.layers.0.*', bits: null },
      ],
    },
  },
  'round to nearest': {
    model: '/m',
    method: 'magnitude',
    sparsity: 0,
    scheduler: { kind: 'uniform' },
    quantization: { bits: 4, groupSize: 32 },
  },
};

describe('a recipe in the fields', () => {
  test.each(Object.entries(full))('%s stays the same recipe', (_, input) => {
    const recipe = parseRecipe(input);
    expect(recipes(draftOf(recipe))).toEqual([recipe]);
  });

  test('several targets and schedulers are a run each; a file fixes its own', () => {
    const draft: Draft = {
      ...demo,
      targets: '70, 75; 80 %',
      schedulers: ['uniform', 'kmeans', 'file'],
      'file.path': '/s.json',
    };
    expect(recipes(draft).map(({ scheduler, sparsity }) => [scheduler.kind, sparsity])).toEqual([
      ['uniform', 0.7],
      ['uniform', 0.75],
      ['uniform', 0.8],
      ['kmeans', 0.7],
      ['kmeans', 0.75],
      ['kmeans', 0.8],
      ['file', null],
    ]);
  });

  test('a pattern is one run, whatever stands in the hidden fields', () => {
    const [recipe, ...others] = recipes({ ...demo, pattern: 'nm', targets: 'nothing', schedulers: [] });
    expect(others).toEqual([]);
    expect(recipe).toMatchObject({ nm: { n: 2, m: 4 }, sparsity: null, scheduler: { kind: 'uniform' } });
  });
});

describe('what is wrong stands at its field', () => {
  const wrong: [Partial<Draft>, Partial<Record<keyof Draft, string>>][] = [
    [{ targets: '' }, { targets: 'invalid.targets' }],
    [{ targets: '70, x' }, { targets: 'invalid.targets' }],
    [{ targets: '100' }, { targets: 'invalid.targets' }],
    [{ schedulers: [] }, { schedulers: 'invalid.no-scheduler' }],
    [{ schedulers: ['file'] }, { 'file.path': 'invalid.no-file' }],
    [{ model: '' }, { model: 'invalid.no-model' }],
    [{ 'calibration.corpus': null }, { 'calibration.corpus': 'invalid.no-calibration' }],
    [{ 'calibration.corpus': null, method: 'magnitude' }, { 'calibration.corpus': 'invalid.no-calibration' }],
    [{ 'calibration.corpus': null, method: 'magnitude', schedulers: ['uniform', 'alpha'] }, {}],
    [{ percdamp: 0 }, { percdamp: 'invalid.above' }],
    [{ percdamp: '' }, { percdamp: 'invalid.number' }],
    [{ 'calibration.sequences': 1.5 }, { 'calibration.sequences': 'invalid.whole' }],
    [{ 'calibration.sequences': '12x' }, { 'calibration.sequences': 'invalid.number' }],
    [
      { 'evaluation.windows': 0, seed: -1 },
      { 'evaluation.windows': 'invalid.at-least', seed: 'invalid.at-least' },
    ],
    [
      { 'calibration.corpus': null, method: 'magnitude', schedulers: ['allocate'] },
      { 'calibration.corpus': 'invalid.no-calibration' },
    ],
    [
      { schedulers: ['kmeans'], 'kmeans.max': 101, 'kmeans.groups': 65 },
      { 'kmeans.max': 'invalid.at-most', 'kmeans.groups': 'invalid.at-most' },
    ],
    [{ schedulers: ['allocate'], 'allocate.range': 0, 'kmeans.range': 101 }, { 'allocate.range': 'invalid.above' }],
    [{ schedulers: ['kmeans'], 'allocate.range': 0, 'kmeans.range': 101 }, { 'kmeans.range': 'invalid.at-most' }],
    [
      { schedulers: ['allocate', 'kmeans'], 'allocate.range': 'x', 'kmeans.range': 101 },
      { 'allocate.range': 'invalid.number', 'kmeans.range': 'invalid.at-most' },
    ],
    [{ schedulers: ['owl'], 'kmeans.groups': 65, 'owl.m': 0 }, { 'owl.m': 'invalid.above' }],
    [{ aim: 'size', goalSize: '3.2GB', targets: '' }, {}],
    [{ aim: 'size', goalSize: 'much' }, { goalSize: 'invalid.size' }],
    [{ aim: 'size', goalSize: '0' }, { goalSize: 'invalid.size' }],
    [
      { aim: 'size', goalSize: '3GB', schedulers: ['file'], 'file.path': '/s.json' },
      { schedulers: 'invalid.goal-file' },
    ],
    [{ aim: 'perplexity', goalPerplexity: '' }, { goalPerplexity: 'invalid.number' }],
    [{ aim: 'perplexity', goalPerplexity: 0.5 }, { goalPerplexity: 'invalid.at-least' }],
    [
      { aim: 'perplexity', goalPerplexity: 90, 'evaluation.datasets': [] },
      { 'evaluation.datasets': 'invalid.goal-dataset' },
    ],
    [
      {
        aim: 'perplexity',
        goalPerplexity: 90,
        method: 'magnitude',
        schedulers: ['uniform'],
        'calibration.corpus': null,
      },
      { 'calibration.corpus': 'invalid.no-calibration' },
    ],
    [{ aim: 'perplexity', goalPerplexity: '', pattern: 'nm' }, {}],
    [{ pattern: 'nm', n: 4, m: 4 }, { n: 'invalid.n-of-m' }],
    [
      { blocks: 13, 'calibration.seqlen': 4096 },
      { blocks: 'invalid.beyond-model', 'calibration.seqlen': 'invalid.beyond-model' },
    ],
    [
      { targets: Array.from({ length: 99 }, (_, i) => i).join(), schedulers: ['uniform', 'kmeans'] },
      { targets: 'invalid.too-many' },
    ],
  ];

  test.each(wrong)('%j', (change, expected) => {
    const { recipes: made, errors } = recipesOf({ ...demo, ...change }, head);
    const keys = Object.fromEntries(Object.entries(errors).map(([name, { key }]) => [name, key]));
    expect(keys).toEqual(expected);
    expect(made.length === 0).toBe(Object.keys(expected).length > 0);
  });

  const quantizations: [Partial<Draft>, Partial<Record<keyof Draft, string>>][] = [
    [{ 'quantization.bits': 4, 'quantization.actOrder': true }, {}],
    [
      { 'quantization.bits': 4, 'quantization.actOrder': true, pattern: 'nm' },
      { 'quantization.actOrder': 'invalid.act-order-nm' },
    ],
    [
      { 'quantization.bits': 4, 'quantization.actOrder': true, method: 'wanda' },
      { 'quantization.actOrder': 'invalid.act-order-method' },
    ],
    [
      { 'quantization.bits': 4, 'quantization.actOrder': true, method: 'magnitude' },
      { 'quantization.actOrder': 'invalid.act-order-method' },
    ],
    [{ 'quantization.bits': 4, method: 'magnitude', pattern: 'nm' }, {}],
    [
      { 'quantization.bits': 4, 'quantization.exceptions': [{ layers: '', bits: 8 }] },
      { 'quantization.exceptions': 'invalid.no-pattern' },
    ],
    [
      {
        'quantization.bits': null,
        'quantization.actOrder': true,
        pattern: 'nm',
        'quantization.exceptions': [{ layers: '', bits: null }],
      },
      {},
    ],
  ];

  test.each(quantizations)('%j', (change, expected) => {
    const { errors } = recipesOf({ ...demo, ...change }, head);
    expect(Object.fromEntries(Object.entries(errors).map(([name, { key }]) => [name, key]))).toEqual(expected);
  });

  test('limits are in the unit of the field', () => {
    expect(
      recipesOf({ ...demo, schedulers: ['kmeans'], 'kmeans.max': 101 }, head).errors['kmeans.max']?.params,
    ).toEqual({ limit: 100 });
    const tooFar = recipesOf({ ...demo, schedulers: ['allocate'], 'allocate.range': 101 }, head);
    expect(tooFar.errors['allocate.range']?.params).toEqual({ limit: 100 });
    expect(recipesOf({ ...demo, blocks: 13 }, head).errors.blocks?.params).toEqual({ limit: 12 });
  });

  test('two datasets of one name', () => {
    const twice = [...demo['evaluation.datasets'], { name: 'demo', corpus: texts('/other') }];
    expect(recipesOf({ ...demo, 'evaluation.datasets': twice }, head).errors['evaluation.datasets']?.params).toEqual({
      name: 'demo',
    });
  });
});

describe('what quantization keeps from being exported', () => {
  test.each([
    [{ 'quantization.bits': null, 'quantization.actOrder': true }, []],
    [{ 'quantization.bits': 4, 'quantization.symmetric': true }, []],
    [{ 'quantization.bits': 4 }, ['asymmetric']],
    [{ 'quantization.bits': 4, targets: '0' }, []],
    [{ 'quantization.bits': 4, targets: '0, 50' }, ['asymmetric']],
    [{ 'quantization.bits': 4, targets: '0', pattern: 'nm' }, ['asymmetric']],
    [{ 'quantization.bits': 8, 'quantization.symmetric': true, 'quantization.actOrder': true }, ['scattered']],
    [
      {
        'quantization.bits': 8,
        'quantization.symmetric': true,
        'quantization.actOrder': true,
        'quantization.staticGroups': true,
      },
      [],
    ],
    [
      {
        'quantization.bits': 8,
        'quantization.symmetric': true,
        'quantization.actOrder': true,
        'quantization.groupSize': null,
      },
      [],
    ],
    [{ 'quantization.bits': 8, targets: '0' }, ['asymmetric-bits']],
    [{ 'quantization.bits': 2, 'quantization.symmetric': true }, ['two-bits']],
    [{ 'quantization.bits': 3, 'quantization.symmetric': true }, ['three-bits']],
  ] satisfies [Partial<Draft>, string[]][])('%j', (change, expected) => {
    expect(exportLimits({ ...demo, ...change })).toEqual(expected);
  });
});

describe('presets and models', () => {
  const other = presetDraft('scheduled-70', '/models/opt', boot);

  test('another model brings its own data; what was changed stays', () => {
    const changed: Draft = { ...demo, targets: '60', seed: 5 };
    expect(rebase(changed, demo, other)).toEqual({ ...other, targets: '60', seed: 5 });
  });

  test('a preset sets what it is about, and leaves the rest', () => {
    const changed: Draft = {
      ...demo,
      targets: '60',
      method: 'wanda',
      'quantization.bits': 3,
      'quantization.symmetric': true,
      seed: 5,
    };
    const fifty = presetDraft('sparsegpt-50', boot.demo.model, boot);
    expect(withPreset(changed, demo, fifty)).toEqual({ ...fifty, seed: 5 });
  });

  test('differing fields are told', () => {
    const changed: Draft = { ...demo, targets: '60', threads: '6', 'evaluation.datasets': [] };
    expect(changedFields(changed, demo)).toEqual(new Set(['targets', 'evaluation.datasets']));
  });
});

describe('data', () => {
  test('texts join texts, token ids stand alone', () => {
    expect(withPaths(texts('/a'), 'texts', ['/b', '/a'])).toEqual(texts('/a', '/b'));
    expect(withPaths(texts('/a'), 'tokens', ['/t'])).toEqual({ kind: 'tokens', path: '/t' });
    expect(withPaths({ kind: 'tokens', path: '/t' }, 'texts-folder', ['/d'])).toEqual(texts('/d'));
    expect(withPaths(texts('/a'), 'texts', [])).toEqual(texts('/a'));
    expect(withoutPath(texts('/a', '/b'), '/a')).toEqual(texts('/b'));
    expect(withoutPath(texts('/a'), '/a')).toBeNull();
  });

  test('each file is a dataset of its name, told from others of the same', () => {
    const [one, two, three] = withDatasets([], 'texts', [
      '/x/wiki.test.txt',
      '/y/wiki.test.jsonl',
      String.raw`C:\z\wiki.test`,
    ]);
    expect([one?.name, two?.name, three?.name]).toEqual(['wiki.test', 'wiki.test 2', 'wiki']);
  });
});
