import type { ModelHead, TensorHead } from '../../contract/library.ts';
import { allLayers } from '../families/family.ts';
import { openModel } from './open.ts';

/** What a checkpoint's config and headers tell: no weight is read. */
export async function readHead(folder: string): Promise<ModelHead> {
  const { family, tensors, dtype } = await openModel(folder);
  const all = [...tensors.values()].map(({ shape, bytes }) => ({ bytes, elements: shape.reduce((a, b) => a * b, 1) }));
  return {
    family: family.family,
    dtype,
    blocks: family.blocks,
    layers: allLayers(family).length,
    hidden: family.hidden,
    vocab: family.vocab,
    maxSeqlen: family.maxSeqlen,
    parameters: all.reduce((sum, { elements }) => sum + elements, 0),
    bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** Every tensor of a checkpoint, from its headers. */
export async function readTensors(folder: string): Promise<TensorHead[]> {
  const { family, tensors } = await openModel(folder);
  const layers = new Set(allLayers(family).map(({ name }) => `${name}.weight`));
  return [...tensors.values()].map(({ name, dtype, shape, bytes }) => ({
    name,
    dtype,
    shape: [...shape],
    bytes,
    elements: shape.reduce((a, b) => a * b, 1),
    layer: layers.has(name),
  }));
}
