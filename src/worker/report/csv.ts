import { stringify } from 'csv-stringify/sync';

import { layerResultSchema, type LayerResult, type Report } from '../../contract/report.ts';

/**
 * The layers of a report as CSV: a header, then a row a layer with every field at full precision; an unknown value is an
 * empty cell. Of iterations there are their number and the change of the mask in the last one. A text that a spreadsheet would run as a formula gets an apostrophe in front.
 */
export function layersCsv(report: Report): string {
  return stringify(report.layers.map(row), {
    header: true,
    columns: [...Object.keys(layerResultSchema.shape), 'lastChange'],
    escape_formulas: true,
  });
}

function row({ iterations, ...layer }: LayerResult): object {
  return { ...layer, iterations: iterations?.length, lastChange: iterations?.at(-1)?.changed };
}
