import Table from 'cli-table3';

/** Characters beyond which a cell is no number. */
const LONG = 40;

/** A plain table for the terminal: the first column and those with long texts to the left, numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const isText = (column: number): boolean => column === 0 || rows.some((row) => (row[column] ?? '').length > LONG);
  const none = {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
  };
  const lines = { left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' };
  const view = new Table({
    chars: { ...none, ...lines },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    head: [...head],
    colAligns: head.map((_, column) => (isText(column) ? 'left' : 'right')),
  });
  for (const row of rows) view.push([...row]);
  return view.toString().replace(/ +$/gm, '');
}
