import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { TamisError } from '../../../contract/errors.ts';
import { failureOf, type Failure } from '../../../contract/failure.ts';
import { translated, type ShardWriter } from '../../native.ts';
import { openFolder } from '../export-folder.ts';
import type { FinishedRun } from '../finished-run.ts';
import { first, scattered, zeroWarnings } from '../refusals.ts';
import type { ExportFile, Format } from '../format.ts';
import { requireGguf } from '../../families/gguf.ts';
import { modelFile } from './file.ts';
import { normsFile, openGguf } from './source.ts';
import { tokenizerMetadata } from './tokenizer.ts';
import { companionFiles, copiedFile } from '../plain-files.ts';
import { shardFile } from '../shard-file.ts';
import { manifestFile } from '../weight-files.ts';

const format = 'gguf';
/** Weights that share a scale in the file. */
const BLOCK = 32;

/**
 * One file for llama.cpp (docs/formats.md). Layers whose groups are wider than a block repeat their scales; codes of 2 and 3 bits are
 * stored in 4. What is not quantized keeps its dtype, but for vectors, which are float32.
 */
export const gguf: Format = {
  format,
  refusal: async (run) =>
    otherFamily(run) ?? unknownTensor(run) ?? scattered(run, format) ?? misfit(run) ?? (await tokenizerRefusal(run)),
  warnings: (run) => [
    ...(existsSync(join(run.folder, 'tokenizer.json')) || existsSync(join(run.folder, 'merges.txt'))
      ? []
      : [{ code: 'export.no-tokenizer' as const, params: {} }]),
    ...zeroWarnings(run),
  ],
  async files(run) {
    return [
      await modelFile(run),
      ...normFiles(run),
      await copiedFile(run.folder, 'config.json'),
      manifestFile(run, format, new Set([...run.model.tensors.keys()].filter(isDerived))),
      ...(await companionFiles(run.folder)),
    ];
  },
  open: (folder) => openFolder(folder, openGguf),
};

function otherFamily({ model }: FinishedRun): Failure | null {
  const { family, gguf } = model.family;
  return gguf === null ? { code: 'export.family', params: { family: family.toUpperCase() } } : gguf.refusal;
}

/** Tables that older checkpoints hold and every program computes for itself. */
function isDerived(name: string): boolean {
  return name.endsWith('.rotary_emb.inv_freq');
}

function unknownTensor({ model }: FinishedRun): Failure | null {
  const { mappings } = requireGguf(model.family);
  const name = [...model.tensors.keys()].find((each) => mappings(each).length === 0 && !isDerived(each));
  return name === undefined ? null : { code: 'export.tensor', params: { format, name } };
}

function misfit({ layers }: FinishedRun): Failure | null {
  const narrow = first(layers, ({ cols }) => cols % BLOCK !== 0);
  if (narrow) {
    const { name, cols } = narrow;
    return { code: 'export.block-columns', params: { format, layer: name, cols, block: BLOCK } };
  }
  const wide = first(layers, ({ symmetric, bits }) => !symmetric && bits > 4);
  if (wide) return { code: 'export.asymmetric-bits', params: { layer: wide.name, bits: wide.bits } };
  const pruned = first(layers, ({ symmetric, isPruned }) => !symmetric && isPruned);
  return pruned && { code: 'export.asymmetric-pruned', params: { layer: pruned.name } };
}

async function tokenizerRefusal({ model }: FinishedRun): Promise<Failure | null> {
  try {
    await tokenizerMetadata(model);
    return null;
  } catch (error) {
    if (error instanceof TamisError) return failureOf(error);
    throw error;
  }
}

/** The norms whose numbers in the file are other than the run's. */
function normFiles({ model }: FinishedRun): ExportFile[] {
  const { mappings } = requireGguf(model.family);
  const changed = [...model.tensors.values()].filter(({ name }) => mappings(name).some(({ plus }) => plus));
  if (changed.length === 0) return [];
  const tensors = changed.map(({ name, dtype, shape, bytes }) => ({
    ...{ name, dtype, shape, bytes, isOfLayer: false },
    write: (writer: ShardWriter) => translated(() => writer.copy(name, model.checkpoint)),
  }));
  return [shardFile(normsFile, tensors)];
}
