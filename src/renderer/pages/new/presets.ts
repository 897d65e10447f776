import { parseRecipe, type Recipe, type RecipeInput } from '../../../contract/recipe.ts';

export const presetIds = [
  'scheduled-70',
  'scheduled-80',
  'scheduled-70-int4',
  'int4',
  'scheduled-70-sparsegpt',
  'sparsegpt-50',
  'sparsegpt-2-4',
] as const;
export type PresetId = (typeof presetIds)[number];

type Preset = Pick<RecipeInput, 'method' | 'sparsity' | 'scheduler' | 'nm' | 'quantization'>;

/** What a preset sets; everything else is the recipe's default. */
export const presets: Readonly<Record<PresetId, Preset>> = {
  'scheduled-70': { method: 'admm', sparsity: 0.7, scheduler: { kind: 'auto' } },
  'scheduled-80': { method: 'admm', sparsity: 0.8, scheduler: { kind: 'auto' } },
  'scheduled-70-int4': {
    method: 'admm',
    sparsity: 0.7,
    scheduler: { kind: 'auto' },
    quantization: { bits: 4, symmetric: true },
  },
  int4: { method: 'sparsegpt', sparsity: 0, scheduler: { kind: 'uniform' }, quantization: { bits: 4 } },
  'scheduled-70-sparsegpt': { method: 'sparsegpt', sparsity: 0.7, scheduler: { kind: 'auto' } },
  'sparsegpt-50': { method: 'sparsegpt', sparsity: 0.5, scheduler: { kind: 'uniform' } },
  'sparsegpt-2-4': { method: 'sparsegpt', nm: { n: 2, m: 4 } },
};

/** The recipe of a preset for a model. */
export function presetRecipe(id: PresetId, model: string): Recipe {
  return parseRecipe({ model, ...presets[id] });
}
