import { TamisError } from '../../contract/errors.ts';
import { beginSize, sizeRelation, targets, withTrial, type Relation } from '../../contract/goal.ts';
import { megabytes, percent } from '../../contract/format.ts';
import { layerBits } from '../../contract/quantization.ts';
import type { Bits, Quantization, Recipe } from '../../contract/recipe.ts';
import { archiveEstimate, packedModel, type PackedLayer, type PackedModel } from '../../contract/size.ts';
import { layersOf } from '../model/layers.ts';
import type { Model } from '../model/open.ts';
import { shapeOf } from '../model/shape.ts';

/** The layers to be compressed, each with the mean sparsity of all; zeros that come of rounding are not foreseen. */
export function packedLayers(
  quantization: Quantization | null,
  model: Model,
  blocks: number,
  sparsity: number,
): PackedLayer[] {
  return layersOf(model, blocks).map(({ name, rows, cols }) => {
    return { rows, cols, sparsity, bits: layerBits(quantization, name) };
  });
}

/** An archive is neither larger nor smaller than this share of what is foreseen of it. */
const margins = { smaller: 1 / 3, larger: 1.25 } as const;

/**
 * The recipe with the target, and the bits, at which its size is foreseen by the layers' shapes; as it is where it has a target or no
 * size to come to.
 *
 * Errors: fit.size-above and fit.size-below where the size is so far out of reach that no run is needed to see it.
 */
export function withSizeTarget(recipe: Recipe, model: Model): Recipe {
  const { fit, sparsity, quantization } = recipe;
  if (fit?.kind !== 'size' || sparsity !== null) return recipe;
  const modelAt = packedModelOf(recipe, model);
  const begun = beginSize(fit, sizeRelations(recipe, model), quantization?.bits ?? null);
  const least = margins.smaller * archiveEstimate(modelAt(begun.bits, targets.most), model.dtype);
  if (least > fit.bytes) throw outOfReach('fit.size-above', fit.bytes, targets.most, least);
  const most = margins.larger * packedModel(modelAt(begun.bits, targets.least)).bytes;
  if (most < fit.bytes) throw outOfReach('fit.size-below', fit.bytes, targets.least, most);
  return withTrial(recipe, begun);
}

/** How the size of the recipe's archive hangs together with its sparsity, with such bits. */
export function sizeRelations(recipe: Recipe, model: Model): (bits: Bits | null) => Relation {
  const modelAt = packedModelOf(recipe, model);
  return (bits) => sizeRelation(modelAt(bits, 0), model.dtype);
}

/** What the recipe packs, with such bits and such a sparsity of all layers. */
function packedModelOf(recipe: Recipe, model: Model): (bits: Bits | null, sparsity: number) => PackedModel {
  const { bytes, weightBytes } = shapeOf(model);
  const blocks = recipe.blocks ?? model.family.blocks;
  return (bits, sparsity) => {
    const quantization = recipe.quantization && bits ? { ...recipe.quantization, bits } : null;
    return { bytes, weightBytes, layers: packedLayers(quantization, model, blocks, sparsity), quantization };
  };
}

function outOfReach(
  code: 'fit.size-above' | 'fit.size-below',
  goal: number,
  sparsity: number,
  bytes: number,
): TamisError {
  return new TamisError(code, { goal: megabytes(goal), sparsity: percent(sparsity, 0), value: megabytes(bytes) });
}
