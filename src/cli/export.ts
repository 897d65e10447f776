import { resolve } from 'node:path';

import { Command, Option } from 'commander';

import { TamisError } from '../contract/errors.ts';
import { formatClients } from '../contract/export-formats.ts';
import { exportFormats, type ExportFormat, type ExportResult } from '../contract/exports.ts';
import { bytes, fixed } from '../contract/format.ts';
import { mainMeasures, mainNames, writeValue } from '../contract/measures.ts';
import { message } from '../contract/messages/index.ts';
import { labels } from '../contract/messages/labels.ts';
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
    .option(
      '--check',
      `measure the ${mainNames(labels('en'), 'in-text')} of the written files on the run's evaluation data`,
    )
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
        if (signal.aborted) throw new TamisError('cancelled.no-run');
      });
    });
}

function describeExport(result: ExportResult, denseBytes: number): string {
  const { format, path, bitsPerWeight, results } = result;
  const t = labels('en');
  const measured = (results ?? []).flatMap(({ dataset, seqlen, values }) =>
    values
      .filter(({ measure }) => mainMeasures.includes(measure))
      .map(
        ({ measure, value }) =>
          `${t('field.export-measure', { measure: t(`measure.${measure}`) })}: ${writeValue(measure, value)} (${dataset}, seqlen ${seqlen})`,
      ),
  );
  return [
    `Written: ${resolve(path)}`,
    `Size:    ${bytes(result.bytes)}; dense ${bytes(denseBytes)}, ${fixed(denseBytes / result.bytes, 2)} times as large`,
    `Layers:  ${fixed(bitsPerWeight, 3)} bits a weight, all overhead counted`,
    ...measured,
    ...formatClients[format]
      .snippets(path)
      .map(({ client, code }) => `\nWith ${client}:\n\n${code.replace(/^(?=.)/gm, '    ')}`),
  ].join('\n');
}
