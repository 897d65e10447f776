const units = [
  [1e9, 'B'],
  [1e6, 'M'],
  [1e3, 'K'],
] as const;

/** Parameters as models are named by them: `125 M`, `1.32 B`. */
export function parametersShort(count: number): string {
  const [size, unit] = units.find(([least]) => count >= least) ?? [1, ''];
  return `${Number((count / size).toPrecision(3))} ${unit}`.trim();
}
