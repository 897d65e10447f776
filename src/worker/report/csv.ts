import { stringify } from 'csv-stringify/sync';

import { layerResultSchema, type Report } from '../../contract/report.ts';

/**
 * The layers of a report as CSV: a header, then a row a layer with every field at full precision; an unknown value is an
 * empty cell. A text that a spreadsheet would run as a formula gets an apostrophe in front.
 */
export function layersCsv(report: Report): string {
  return stringify([...report.layers], {
    header: true,
    columns: Object.keys(layerResultSchema.shape),
    escape_formulas: true,
  });
}
