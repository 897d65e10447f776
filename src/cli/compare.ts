import { basename, resolve } from 'node:path';

import { Command } from 'commander';

import { TamisError } from '../contract/errors.ts';
import { compareTable } from '../contract/compare.ts';
import { readReport } from '../worker/run/directory.ts';
import { act, locale, print, printJson } from './act.ts';
import { table } from './table.ts';

export function compareCommand(): Command {
  return new Command('compare')
    .description(
      'Two or more finished runs side by side; perplexities share a row only at the same dataset, seqlen and windows.',
    )
    .argument('<dirs...>', 'the --out folders of the runs')
    .option('--differences', 'only the rows in which the runs differ')
    .option('--json', 'print the table as JSON')
    .action(async (folders: string[], flags: { differences?: true; json?: true }) => {
      await act(async () => {
        if (folders.length < 2) throw new TamisError('cli.compare-one');
        const reports = await Promise.all(folders.map((folder) => readReport(folder)));
        const rows = compareTable(reports, locale()).filter((row) => flags.differences === undefined || row.differs);
        if (flags.json) printJson({ runs: folders.map((folder) => resolve(folder)), rows });
        else
          print(
            table(
              ['', ...folders.map((folder) => basename(resolve(folder)))],
              rows.map(({ label, cells }) => [label, ...cells.map(({ text }) => text.replaceAll(', ', ',\n'))]),
            ),
          );
      });
    });
}
