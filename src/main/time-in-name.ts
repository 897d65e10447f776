/** A time as part of a file's name: `2026-11-23T04-16-50Z`. */
export function timeInName(time: Date): string {
  return time
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(':', '-');
}
