const units: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** Bytes of `16GiB`, `1.5 GB` or `8589934592`; null where it is no size. */
export function parseByteSize(text: string): number | null {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)\s*([KMGT]?i?B)?$/.exec(text.trim()) ?? [];
  const factor = units[unit];
  return amount === undefined || factor === undefined ? null : Math.round(Number(amount) * factor);
}

/** Bytes as `parseByteSize` reads them, in the largest binary unit that says them exactly. */
export function byteSize(bytes: number): string {
  const unit = ['TiB', 'GiB', 'MiB', 'KiB'].find((name) => bytes % (units[name] ?? 1) === 0) ?? '';
  return `${bytes / (units[unit] ?? 1)}${unit}`;
}
