import { stringify } from 'csv-stringify/browser/esm/sync';

/** A table as CSV, headings first. */
export function toCsv(headings: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  return stringify([headings, ...rows], { escape_formulas: true });
}
