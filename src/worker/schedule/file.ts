import { TamisError } from '../../contract/errors.ts';
import { ungrouped, weightedMean } from './budget.ts';
import type { LayerSize, Schedule } from './types.ts';

/**
 * A schedule from a parsed JSON file: an object from layer name to sparsity, every layer of the model and no other.
 * @param path of the file, for the errors
 * @returns the schedule and the mean sparsity that it amounts to
 * @throws schedule-file.not-an-object, .missing-layer, .unknown-layer, .value
 */
export function fileSchedule(
  layers: readonly LayerSize[],
  content: unknown,
  path: string,
): { schedule: Schedule; target: number } {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new TamisError('schedule-file.not-an-object', { path });
  }
  const given = new Map<string, unknown>(Object.entries(content));
  const known = new Set(layers.map(({ name }) => name));
  const unknown = [...given.keys()].find((name) => !known.has(name));
  if (unknown !== undefined) throw new TamisError('schedule-file.unknown-layer', { path, layer: unknown });
  const sparsities = layers.map(({ name }) => {
    if (!given.has(name)) throw new TamisError('schedule-file.missing-layer', { path, layer: name });
    return sparsityOf(given.get(name), name, path);
  });
  return { schedule: ungrouped(layers, sparsities), target: weightedMean(layers, sparsities) };
}

function sparsityOf(value: unknown, layer: string, path: string): number {
  if (typeof value === 'number' && value >= 0 && value < 1) return value;
  throw new TamisError('schedule-file.value', { path, layer, value: JSON.stringify(value) });
}
