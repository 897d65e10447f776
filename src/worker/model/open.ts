import fs from 'node:fs';
import path from 'node:path';

import { TamisError } from '../../contract/errors.ts';
import { readError } from '../../disk/file-errors.ts';
import { allLayers, type FamilyModel, type Source } from '../families/family.ts';
import { openFamily } from '../families/index.ts';
import { native, translated, type Checkpoint, type TensorInfo } from '../native.ts';
import { refuseDanglingCompanions } from './companions.ts';

/** A checkpoint opened for work: nothing of its weights is in memory. */
export interface Model {
  readonly folder: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly checkpoint: Checkpoint;
  /** Its weights: what the family ignores is not among them. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly family: FamilyModel;
  /** The layers' weights have it, all of them. */
  readonly dtype: 'F32' | 'F16' | 'BF16';
}

/** Opens the checkpoint in `folder`; refuses by name what can't be worked with. */
export async function openModel(folder: string): Promise<Model> {
  const config = readConfigFile(folder);
  const checkpoint = await translated(() => native.Checkpoint.open(folder));
  const all = new Map(checkpoint.tensors().map((info) => [info.name, info]));
  const { family, source } = openOnce({ folder, config, tensors: all });
  const tensors = new Map([...source.tensors].filter(([name]) => !family.ignored?.test(name)));
  return { folder, config, checkpoint, tensors, family, dtype: layerDtype(family, tensors) };
}

/**
 * Opens the family with a tied head once: PyTorch's files can hold it as a second name of the embedding's bytes, which no output has
 * to hold twice. Where the config does not tie the two, both names stay.
 */
function openOnce(source: Source): { family: FamilyModel; source: Source } {
  const family = openFamily(source);
  const head = source.tensors.get(family.headWeight);
  const isTwin = ([name, { file, offset, bytes }]: [string, TensorInfo]): boolean =>
    name !== head?.name && file === head?.file && offset === head.offset && bytes === head.bytes;
  if (![...source.tensors].some(isTwin)) return { family, source };
  const once = { ...source, tensors: new Map([...source.tensors].filter(([name]) => name !== head?.name)) };
  try {
    return { family: openFamily(once), source: once };
  } catch (error) {
    if (error instanceof TamisError && error.code === 'checkpoint.tensor-missing') return { family, source };
    throw error;
  }
}

/** Errors: checkpoint.not-a-folder, checkpoint.dangling-link, checkpoint.no-config, config.not-json. */
export function readConfigFile(folder: string): Record<string, unknown> {
  if (!fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new TamisError('checkpoint.not-a-folder', { path: folder });
  refuseDanglingCompanions(folder);
  const file = path.join(folder, 'config.json');
  if (!fs.existsSync(file)) throw new TamisError('checkpoint.no-config', { path: folder });
  const text = readText(file);
  try {
    const config: unknown = JSON.parse(text);
    if (typeof config === 'object' && config !== null && !Array.isArray(config)) return { ...config };
  } catch (error) {
    throw new TamisError('config.not-json', { path: file }, { cause: error });
  }
  throw new TamisError('config.not-json', { path: file });
}

function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw readError(error, file);
  }
}

function layerDtype(family: FamilyModel, tensors: ReadonlyMap<string, TensorInfo>): Model['dtype'] {
  const dtypes = new Map<string, string>();
  for (const layer of allLayers(family)) {
    const name = `${layer.name}.weight`;
    dtypes.set(tensors.get(name)?.dtype ?? '', name);
  }
  for (const [dtype, name] of dtypes) if (!isReadable(dtype)) throw new TamisError('checkpoint.dtype', { name, dtype });
  const [[expected] = [''], other] = [...dtypes];
  if (other) throw new TamisError('checkpoint.mixed-dtypes', { name: other[1], dtype: other[0], expected });
  if (!isReadable(expected)) throw new Error('a model has layers');
  return expected;
}

function isReadable(dtype: string): dtype is Model['dtype'] {
  return dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
}
