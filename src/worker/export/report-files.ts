import type { ExportFormat } from '../../contract/exports.ts';
import { renderHtml } from '../report/html.tsx';
import { modelCard } from '../report/model-card.ts';
import type { FinishedRun } from '../formats/finished-run.ts';
import type { ExportFile } from '../formats/format.ts';
import { copiedFile, textFile } from '../formats/plain-files.ts';

/** The report that goes with every export: its model card, and how the run came out. */
export async function reportFiles({ folder, report }: FinishedRun, format: ExportFormat): Promise<ExportFile[]> {
  const kept = ['layers.csv', 'recipe.json', 'report.json'];
  return [
    textFile('README.md', modelCard(report, format)),
    textFile('report.html', renderHtml(report)),
    ...(await Promise.all(kept.map((name) => copiedFile(folder, name)))),
  ];
}
