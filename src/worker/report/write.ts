import type { Report } from '../../contract/report.ts';
import type { RunDirectory } from '../run/directory.ts';
import { writeJson, writeText } from '../../disk/files.ts';
import { layersCsv } from './csv.ts';
import { renderHtml } from './html.tsx';
import { modelCard } from './model-card.ts';
import { readRecords } from './records.ts';

/** Writes the report in all its forms; `report.json` comes last, because it says that the run is finished. */
export async function writeReport(directory: RunDirectory, report: Report): Promise<void> {
  await writeText(directory.file('README.md'), modelCard(report, 'dense'));
  await writeText(directory.file('layers.csv'), layersCsv(report));
  await writeText(directory.file('report.html'), renderHtml(report, 'en', await readRecords(directory.path)));
  await writeJson(directory.file('report.json'), report);
}
