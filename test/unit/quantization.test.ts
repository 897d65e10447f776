import { describe, expect, it } from 'vitest';

import { groupsOf, hasScatteredGroups, layerBits, matchesLayer } from '../../src/contract/quantization.ts';
import { presetIds, presetRecipe } from '../../src/renderer/pages/new/presets.ts';
import { parseRecipe, quantizationSchema } from '../../src/contract/recipe.ts';

const layer = 'model.decoder.layers.11.self_attn.q_proj';

describe('exceptions', () => {
  it.each([
    ['model.decoder.layers.11.self_attn.q_proj', true],
    ['*', true],
    ['*.q_proj', true],
    ['*.layers.11.*', true],
    ['*.layers.1*.self_attn.*', true],
    ['*layers.1.*', false],
    ['*.layers.1?.*', false],
    ['q_proj', false],
    ['*.q_proj.', false],
    ['model*decoder*q_proj', true],
    ['modelXdecoder*', false],
    ['(a+)+$*[', false],
  ])('%s: %s', (pattern, expected) => {
    expect(matchesLayer(pattern, layer)).toBe(expected);
  });

  it('the last one that matches counts', () => {
    const exceptions = [
      { layers: '*.layers.11.*', bits: 8 },
      { layers: '*.q_proj', bits: null },
      { layers: '*.layers.1.*', bits: 2 },
    ] as const;
    const quantization = quantizationSchema.parse({ bits: 4, exceptions });
    expect(layerBits(quantization, layer)).toBeNull();
    expect(layerBits(quantization, 'model.decoder.layers.11.fc1')).toBe(8);
    expect(layerBits(quantization, 'model.decoder.layers.1.q_proj')).toBe(2);
    expect(layerBits(quantization, 'model.decoder.layers.2.fc1')).toBe(4);
    expect(layerBits(null, layer)).toBeNull();
  });
});

describe('groups', () => {
  const of = (settings: object): ReturnType<typeof quantizationSchema.parse> =>
    quantizationSchema.parse({ bits: 4, ...settings });

  it('the last one may be shorter; a row of fewer columns is one', () => {
    expect([1, 127, 128, 129, 320].map((cols) => groupsOf(of({}), cols))).toEqual([1, 1, 1, 2, 3]);
    expect(groupsOf(of({ groupSize: null }), 4096)).toBe(1);
  });

  it('are scattered where the sweep has an order of its own and there are several', () => {
    expect(hasScatteredGroups(of({ actOrder: true }), 256)).toBe(true);
    expect(hasScatteredGroups(of({ actOrder: true }), 128)).toBe(false);
    expect(hasScatteredGroups(of({ actOrder: true, groupSize: null }), 256)).toBe(false);
    expect(hasScatteredGroups(of({ actOrder: true, staticGroups: true }), 256)).toBe(false);
    expect(hasScatteredGroups(of({}), 256)).toBe(false);
  });
});

describe('recipes', () => {
  it('without pruning have nothing to schedule, unless they say so', () => {
    const of = (settings: object): string => parseRecipe({ model: 'm', ...settings }).scheduler.kind;
    expect(of({ sparsity: 0, quantization: { bits: 4 } })).toBe('uniform');
    expect(of({ sparsity: 0, scheduler: { kind: 'kmeans' } })).toBe('kmeans');
    expect(of({ sparsity: 0.1 })).toBe('auto');
  });

  it('of presets: 4 bits with 70 % scheduled, symmetric in groups of 128, and alone', () => {
    expect(presetIds).toEqual(expect.arrayContaining(['scheduled-70-int4', 'int4']));
    expect(presetRecipe('scheduled-70-int4', 'm')).toMatchObject({
      method: 'admm',
      sparsity: 0.7,
      scheduler: { kind: 'auto' },
      quantization: { bits: 4, groupSize: 128, symmetric: true },
    });
    expect(presetRecipe('int4', 'm')).toMatchObject({
      sparsity: 0,
      scheduler: { kind: 'uniform' },
      quantization: { bits: 4, groupSize: 128, symmetric: false },
    });
  });
});
