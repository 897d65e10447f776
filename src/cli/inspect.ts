import { resolve } from 'node:path';

import { Command } from 'commander';

import { bytes, percent, whole } from '../contract/format.ts';
import { inspect, type ModelSummary } from '../worker/model/inspect.ts';
import { act, print, printJson } from './act.ts';
import { table } from './table.ts';

export function inspectCommand(): Command {
  return new Command('inspect')
    .description('Show what is in a checkpoint: config, tensors, shapes, dtypes, zeros, size.')
    .argument('<model>', 'folder of the checkpoint')
    .option('--json', 'print all of it as JSON')
    .action(async (folder: string, flags: { json?: true }) => {
      await act(async ({ signal }) => {
        const summary = await inspect(resolve(folder), signal);
        if (flags.json) printJson(summary);
        else print(describeModel(summary));
      });
    });
}

function describeModel(summary: ModelSummary): string {
  const facts = table(
    ['Model', summary.folder],
    [
      ['Family', summary.family],
      ['Parameters', whole(summary.parameters)],
      ['Size', bytes(summary.bytes)],
      ['dtype of the layers', summary.dtype],
      ['Blocks', String(summary.blocks)],
      ['Hidden size', String(summary.hidden)],
      ['Vocabulary', whole(summary.vocab)],
      ['Longest sequence', whole(summary.maxSeqlen)],
      ['Zeros in the layers', `${percent(summary.sparsity, 2)} %`],
    ],
  );
  const rows = summary.tensors.map((tensor) => [
    tensor.layer ? tensor.name : `${tensor.name} (kept)`,
    tensor.dtype,
    tensor.shape.join(' x '),
    bytes(tensor.bytes),
    `${percent(tensor.elements === 0 ? 0 : tensor.zeros / tensor.elements, 2)} %`,
  ]);
  return `${facts}\n\n${table(['Tensor', 'dtype', 'shape', 'size', 'zeros'], rows)}`;
}
