import { resolve } from 'node:path';

import { Command, Option } from 'commander';

import { exportSnippets } from '../contract/export-snippets.ts';
import { exportFormats, type ExportFormat, type ExportResult } from '../contract/exports.ts';
import { bytes, fixed, perplexity } from '../contract/format.ts';
import { message } from '../contract/messages/index.ts';
import { exportOffers, exportRun } from '../worker/export/exports.ts';
import { act, locale, print, printJson } from './act.ts';

interface Flags {
  format: ExportFormat;
  out: string;
  check?: true;
  json?: true;
}

export function exportCommand(): Command {
  return new Command('export')
    .description('Write a finished run as a file or folder that other programs load, and say how.')
    .argument('<run>', 'the --out folder of the run')
    .addOption(new Option('--format <format>', 'what to write').choices(exportFormats).makeOptionMandatory())
    .requiredOption('--out <dir>', 'new folder for the export; its report goes with it')
    .option('--check', "measure the perplexity of the written files on the run's evaluation data")
    .option('--json', 'print what was written as JSON')
    .action(async (run: string, { format, out, check, json }: Flags) => {
      await act(async ({ signal, onProgress }) => {
        const offers = await exportOffers(run);
        const task = { run, format, out, check: check ?? false };
        const dense = offers.find((offer) => offer.format === 'dense')?.bytes ?? 0;
        const warnings = offers.find((offer) => offer.format === format)?.warnings ?? [];
        for (const { code, params } of warnings) process.stderr.write(`Warning: ${message(code, params, locale())}\n`);
        const result = await exportRun({ ...task, signal, onProgress });
        if (json) printJson({ ...result, denseBytes: dense });
        else print(describeExport(result, dense));
      });
    });
}

function describeExport(result: ExportResult, denseBytes: number): string {
  const { format, path, bitsPerWeight, perplexity: measured } = result;
  const perplexities = (measured ?? []).map(
    ({ dataset, seqlen, perplexity: value }) =>
      `Perplexity of the files: ${perplexity(value)} (${dataset}, seqlen ${seqlen})`,
  );
  return [
    `Written: ${resolve(path)}`,
    `Size:    ${bytes(result.bytes)}; dense ${bytes(denseBytes)}, ${fixed(denseBytes / result.bytes, 2)} times as large`,
    `Layers:  ${fixed(bitsPerWeight, 3)} bits a weight, all overhead counted`,
    ...perplexities,
    ...exportSnippets(format, path).map(
      ({ client, code }) => `\nWith ${client}:\n\n${code.replace(/^(?=.)/gm, '    ')}`,
    ),
  ].join('\n');
}
