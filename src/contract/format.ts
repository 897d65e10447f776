/** How numbers are written in charts, reports and comparisons. Signs are true minus signs, exponents superscripts. */

const superscripts: Readonly<Record<string, string>> = {
  '-': '⁻',
  '0': '⁰',
  '1': '¹',
  '2': '²',
  '3': '³',
  '4': '⁴',
  '5': '⁵',
  '6': '⁶',
  '7': '⁷',
  '8': '⁸',
  '9': '⁹',
};

/** A fixed number of decimals: `-1.02` as `−1.02`, and `-0.001` with two of them as `0.00`. */
export function fixed(value: number, decimals: number): string {
  const text = value.toFixed(decimals);
  return Number(text) === 0 ? text.replace('-', '') : text.replace('-', '−');
}

/** A share of one in percent, without the sign: `0.7342` as `73.4`. */
export function percent(share: number, decimals: number): string {
  return fixed(100 * share, decimals);
}

/** So many significant digits; very small and very large values as a power of ten: `8.71·10⁻⁵`. */
export function significant(value: number, digits: number): string {
  if (value === 0) return '0';
  const [mantissa = '', exponent = '0'] = value.toExponential(digits - 1).split('e');
  const power = Number(exponent);
  if (power >= -3 && power < 5) return fixed(value, Math.max(0, digits - 1 - power));
  return `${mantissa.replace('-', '−')}·${powerOfTen(power)}`;
}

/** `10⁻⁵` for -5. */
export function powerOfTen(power: number): string {
  return `10${String(power).replace(/./g, (digit) => superscripts[digit] ?? digit)}`;
}

/** Bytes in binary units: `16.3 MiB`. */
export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const unit = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, count)) / 10));
  return `${(count / 1024 ** unit).toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`;
}

/** Bytes in 10⁶ bytes, as a goal is given, so fine that 1 % is seen; without the unit. */
export function megabytes(count: number): string {
  const mega = count / 1e6;
  return fixed(mega, mega < 10 ? 3 : mega < 100 ? 2 : 1);
}

/** Seconds as `8.4 s`, `3 min 05 s` or `2 h 14 min`. */
export function duration(seconds: number): string {
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const two = (value: number): string => String(value).padStart(2, '0');
  return hours > 0 ? `${hours} h ${two(minutes)} min` : `${minutes} min ${two(rest)} s`;
}

/** A whole number with its thousands apart: `8 520 192`. */
export function whole(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** A perplexity: two decimals, above 100 000 a power of ten. */
export function perplexity(value: number, decimals = 2): string {
  return value < 1e5 ? fixed(value, decimals) : significant(value, 3);
}
